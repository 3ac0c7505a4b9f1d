// Adds two products to a cart, sends one of them twice, and reads the cart. Run with HOST:PORT and a token.
import { randomUUID } from "node:crypto";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { OperationAttemptSchema, QuantityPolicy } from "./gen/cartsync/v1/operation_pb.js";
import { OutcomeState } from "./gen/cartsync/v1/reason_pb.js";
import { CartSyncService, type SyncRequestSchema } from "./gen/cartsync/v1/service_pb.js";

const [address, token] = process.argv.slice(2);
const shop = createClient(CartSyncService, createGrpcTransport({ baseUrl: `http://${address}` }));
const headers = { authorization: `Bearer ${token}` };
const queueId = randomUUID();
const { policy, storeId, principal } = await shop.getSyncPolicy({}, { headers });
console.log(`replay window ${Number(policy!.replayWindow!.seconds) / 3600} hours`);

const tea = add(1n, "", "TEA-EARL-GREY-50", 2, 425n);
const mug = add(2n, tea.operation!.idempotencyKey, "MUG-BLUE", 1, 850n);
async function* requests(): AsyncGenerator<MessageInitShape<typeof SyncRequestSchema>> {
  yield { message: { case: "hello", value: { storeId, queueId, expectedPrincipal: principal } } };
  for (const attempt of [tea, mug, mug]) yield { message: { case: "submit", value: { attempts: [attempt] } } };
}
for await (const { message } of shop.sync(requests(), { headers })) {
  if (message.case !== "outcomes") continue;
  const { outcome, replayed } = message.value.results[0]!;
  console.log(`operation ${outcome!.sequence} ${OutcomeState[outcome!.state]} replayed ${replayed}`);
}
const { cart } = await shop.getCart({ storeId, cartId: "groceries" }, { headers });
for (const line of cart!.lines)
  console.log(`line ${line.quantity} ${line.sku} ${line.lineTotal!.minorUnits} ${line.lineTotal!.currencyCode}`);

/** The operation that puts a product into the cart at the price the shopper saw, in pence. */
function add(sequence: bigint, previousKey: string, sku: string, quantity: number, pence: bigint) {
  const observedUnitPrice = { currencyCode: "GBP", minorUnits: pence };
  const item = { cartId: "groceries", sku, quantity, observedUnitPrice, quantityPolicy: QuantityPolicy.EXACT };
  const intent = { case: "addItem" as const, value: item };
  return create(OperationAttemptSchema, { operation: { idempotencyKey: randomUUID(), sequence, previousKey, intent } });
}
