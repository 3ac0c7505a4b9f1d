import dev.cartsync.v1.*;
import io.grpc.ManagedChannelBuilder;
import io.grpc.Metadata;
import io.grpc.stub.BlockingClientCall;
import io.grpc.stub.MetadataUtils;
import java.util.List;
import java.util.UUID;

/** Adds two products to a cart, sends one of them twice, and reads the cart. Run with HOST:PORT and a token. */
public class FirstCart {
    public static void main(String[] args) throws Exception {
        var headers = new Metadata();
        headers.put(Metadata.Key.of("authorization", Metadata.ASCII_STRING_MARSHALLER), "Bearer " + args[1]);
        var channel = ManagedChannelBuilder.forTarget(args[0]).usePlaintext().build();
        var shop = CartSyncServiceGrpc.newBlockingV2Stub(channel)
                .withInterceptors(MetadataUtils.newAttachHeadersInterceptor(headers));
        var contract = shop.getSyncPolicy(GetSyncPolicyRequest.getDefaultInstance());
        System.out.println("replay window " + contract.getPolicy().getReplayWindow().getSeconds() / 3600 + " hours");

        var tea = add(1, "", "TEA-EARL-GREY-50", 2, 425);
        var mug = add(2, tea.getOperation().getIdempotencyKey(), "MUG-BLUE", 1, 850);
        var hello = Hello.newBuilder().setStoreId(contract.getStoreId())
                .setQueueId(UUID.randomUUID().toString()).setExpectedPrincipal(contract.getPrincipal());
        var stream = shop.sync();
        stream.write(SyncRequest.newBuilder().setHello(hello).build());
        for (var attempt : List.of(tea, mug, mug)) {
            stream.write(SyncRequest.newBuilder().setSubmit(Submit.newBuilder().addAttempts(attempt)).build());
        }
        stream.halfClose();
        for (var response = stream.read(); response != null; response = stream.read()) {
            for (var result : response.getOutcomes().getResultsList()) {
                var outcome = result.getOutcome();
                System.out.println("operation " + outcome.getSequence() + " " + outcome.getState()
                        + " replayed " + result.getReplayed());
            }
        }
        var request = GetCartRequest.newBuilder().setStoreId(contract.getStoreId()).setCartId("groceries").build();
        for (var line : shop.getCart(request).getCart().getLinesList()) {
            System.out.println("line " + line.getQuantity() + " " + line.getSku() + " "
                    + line.getLineTotal().getMinorUnits() + " " + line.getLineTotal().getCurrencyCode());
        }
        channel.shutdownNow();
    }

    /** The operation that puts a product into the cart at the price the shopper saw, in pence. */
    private static OperationAttempt add(long sequence, String previousKey, String sku, int quantity, long pence) {
        var item = AddItem.newBuilder().setCartId("groceries").setSku(sku).setQuantity(quantity)
                .setQuantityPolicy(QuantityPolicy.QUANTITY_POLICY_EXACT)
                .setObservedUnitPrice(Money.newBuilder().setCurrencyCode("GBP").setMinorUnits(pence));
        return OperationAttempt.newBuilder().setOperation(CartOperation.newBuilder()
                .setIdempotencyKey(UUID.randomUUID().toString())
                .setSequence(sequence).setPreviousKey(previousKey).setAddItem(item)).build();
    }
}
