// Adds two products to a cart, sends one of them twice, and reads the cart. Run with HOST:PORT and a token.
package main

import (
	"context"
	"fmt"
	"os"

	cartsync "example.com/first-cart/gen/cartsync/v1"
	"github.com/google/uuid"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
)

func main() {
	channel := must(grpc.NewClient(os.Args[1], grpc.WithTransportCredentials(insecure.NewCredentials())))
	ctx := metadata.AppendToOutgoingContext(context.Background(), "authorization", "Bearer "+os.Args[2])
	shop, queue := cartsync.NewCartSyncServiceClient(channel), uuid.NewString()
	policy := must(shop.GetSyncPolicy(ctx, &cartsync.GetSyncPolicyRequest{}))
	fmt.Println("replay window", policy.Policy.ReplayWindow.AsDuration().Hours(), "hours")

	tea := add(1, "", "TEA-EARL-GREY-50", 2, 425)
	mug := add(2, tea.Operation.IdempotencyKey, "MUG-BLUE", 1, 850)
	stream := must(shop.Sync(ctx))
	stream.Send(&cartsync.SyncRequest{Message: &cartsync.SyncRequest_Hello{Hello: &cartsync.Hello{
		StoreId: policy.StoreId, QueueId: queue, ExpectedPrincipal: policy.Principal}}})
	for _, attempt := range []*cartsync.OperationAttempt{tea, mug, mug} {
		stream.Send(&cartsync.SyncRequest{Message: &cartsync.SyncRequest_Submit{
			Submit: &cartsync.Submit{Attempts: []*cartsync.OperationAttempt{attempt}}}})
	}
	must(stream.Recv()) // Welcome
	for range 3 {
		result := must(stream.Recv()).GetOutcomes().Results[0]
		fmt.Println("operation", result.Outcome.Sequence, result.Outcome.State, "replayed", result.Replayed)
	}
	cart := must(shop.GetCart(ctx, &cartsync.GetCartRequest{StoreId: policy.StoreId, CartId: "groceries"})).Cart
	for _, line := range cart.Lines {
		fmt.Println("line", line.Quantity, line.Sku, line.LineTotal.MinorUnits, line.LineTotal.CurrencyCode)
	}
}

// add makes the operation that puts a product into the cart at the price the shopper saw, in pence.
func add(sequence int64, previousKey, sku string, quantity int32, pence int64) *cartsync.OperationAttempt {
	return &cartsync.OperationAttempt{Operation: &cartsync.CartOperation{
		IdempotencyKey: uuid.NewString(), Sequence: sequence, PreviousKey: previousKey,
		Intent: &cartsync.CartOperation_AddItem{AddItem: &cartsync.AddItem{
			CartId: "groceries", Sku: sku, Quantity: quantity, QuantityPolicy: cartsync.QuantityPolicy_QUANTITY_POLICY_EXACT,
			ObservedUnitPrice: &cartsync.Money{CurrencyCode: "GBP", MinorUnits: pence}}}}}
}

func must[T any](value T, err error) T {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	return value
}
