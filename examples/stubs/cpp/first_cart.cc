// Adds two products to a cart, sends one of them twice, and reads the cart. Run with HOST:PORT and a token.
#include <grpcpp/grpcpp.h>

#include <fstream>
#include <iostream>

#include "cartsync/v1/service.grpc.pb.h"

using namespace cartsync::v1;

// A random UUID, from the kernel.
std::string Uuid() {
  std::string text;
  std::ifstream("/proc/sys/kernel/random/uuid") >> text;
  return text;
}

// The operation that puts a product into the cart at the price the shopper saw, in pence.
OperationAttempt Add(int sequence, const std::string& previous_key, const std::string& sku, int quantity, int pence) {
  OperationAttempt attempt;
  CartOperation& operation = *attempt.mutable_operation();
  operation.set_idempotency_key(Uuid());
  operation.set_sequence(sequence);
  operation.set_previous_key(previous_key);
  AddItem& item = *operation.mutable_add_item();
  item.set_cart_id("groceries");
  item.set_sku(sku);
  item.set_quantity(quantity);
  item.set_quantity_policy(QUANTITY_POLICY_EXACT);
  item.mutable_observed_unit_price()->set_currency_code("GBP");
  item.mutable_observed_unit_price()->set_minor_units(pence);
  return attempt;
}

int main(int, char** argv) {
  auto shop = CartSyncService::NewStub(grpc::CreateChannel(argv[1], grpc::InsecureChannelCredentials()));
  grpc::ClientContext calls[3];
  for (auto& call : calls) call.AddMetadata("authorization", std::string("Bearer ") + argv[2]);
  GetSyncPolicyResponse me;
  if (auto status = shop->GetSyncPolicy(&calls[0], {}, &me); !status.ok()) return std::cerr << status.error_message(), 1;
  std::cout << "replay window " << me.policy().replay_window().seconds() / 3600 << " hours\n";

  OperationAttempt tea = Add(1, "", "TEA-EARL-GREY-50", 2, 425);
  OperationAttempt mug = Add(2, tea.operation().idempotency_key(), "MUG-BLUE", 1, 850);
  auto stream = shop->Sync(&calls[1]);
  SyncRequest request;
  request.mutable_hello()->set_store_id(me.store_id());
  request.mutable_hello()->set_queue_id(Uuid());
  request.mutable_hello()->set_expected_principal(me.principal());
  stream->Write(request);
  for (const OperationAttempt& attempt : {tea, mug, mug}) {
    request.Clear();
    *request.mutable_submit()->add_attempts() = attempt;
    stream->Write(request);
  }
  stream->WritesDone();
  for (SyncResponse response; stream->Read(&response);)
    for (const OperationResult& result : response.outcomes().results())
      std::cout << "operation " << result.outcome().sequence() << " " << OutcomeState_Name(result.outcome().state())
                << " replayed " << std::boolalpha << result.replayed() << "\n";
  if (auto status = stream->Finish(); !status.ok()) return std::cerr << status.error_message(), 1;

  GetCartRequest wanted;
  wanted.set_store_id(me.store_id());
  wanted.set_cart_id("groceries");
  GetCartResponse found;
  if (auto status = shop->GetCart(&calls[2], wanted, &found); !status.ok()) return std::cerr << status.error_message(), 1;
  for (const CartLine& line : found.cart().lines())
    std::cout << "line " << line.quantity() << " " << line.sku() << " " << line.line_total().minor_units() << " "
              << line.line_total().currency_code() << "\n";
}
