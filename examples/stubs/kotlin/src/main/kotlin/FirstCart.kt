import dev.cartsync.v1.*
import dev.cartsync.v1.CartSyncServiceGrpcKt.CartSyncServiceCoroutineStub
import io.grpc.ManagedChannelBuilder
import io.grpc.Metadata
import java.util.UUID
import kotlinx.coroutines.flow.flow
import kotlinx.coroutines.runBlocking

/** Adds two products to a cart, sends one of them twice, and reads the cart. Run with HOST:PORT and a token. */
fun main(args: Array<String>) = runBlocking {
    val headers = Metadata()
    headers.put(Metadata.Key.of("authorization", Metadata.ASCII_STRING_MARSHALLER), "Bearer ${args[1]}")
    val channel = ManagedChannelBuilder.forTarget(args[0]).usePlaintext().build()
    val shop = CartSyncServiceCoroutineStub(channel)
    val contract = shop.getSyncPolicy(getSyncPolicyRequest {}, headers)
    println("replay window ${contract.policy.replayWindow.seconds / 3600} hours")

    val tea = add(1, "", "TEA-EARL-GREY-50", 2, 425)
    val mug = add(2, tea.operation.idempotencyKey, "MUG-BLUE", 1, 850)
    val requests = flow {
        emit(syncRequest { hello = hello {
            storeId = contract.storeId
            queueId = UUID.randomUUID().toString()
            expectedPrincipal = contract.principal
        } })
        for (attempt in listOf(tea, mug, mug)) emit(syncRequest { submit = submit { attempts += attempt } })
    }
    shop.sync(requests, headers).collect { response ->
        for (result in response.outcomes.resultsList) {
            println("operation ${result.outcome.sequence} ${result.outcome.state} replayed ${result.replayed}")
        }
    }
    val request = getCartRequest { storeId = contract.storeId; cartId = "groceries" }
    for (line in shop.getCart(request, headers).cart.linesList) {
        println("line ${line.quantity} ${line.sku} ${line.lineTotal.minorUnits} ${line.lineTotal.currencyCode}")
    }
    channel.shutdownNow()
    Unit
}

/** The operation that puts a product into the cart at the price the shopper saw, in pence. */
private fun add(place: Long, previous: String, product: String, count: Int, pence: Long) = operationAttempt {
    operation = cartOperation {
        idempotencyKey = UUID.randomUUID().toString()
        sequence = place
        previousKey = previous
        addItem = addItem {
            cartId = "groceries"
            sku = product
            quantity = count
            quantityPolicy = QuantityPolicy.QUANTITY_POLICY_EXACT
            observedUnitPrice = money { currencyCode = "GBP"; minorUnits = pence }
        }
    }
}
