//! Adds two products to a cart, sends one of them twice, and reads the cart. Run with HOST:PORT and a token.
use cartsync::v1::cart_sync_service_client::CartSyncServiceClient;
use cartsync::v1::{cart_operation::Intent, sync_request, sync_response, *};
use tonic::{Request, metadata::MetadataValue, transport::Endpoint};
use uuid::Uuid;

tonic::include_proto!("stubs");

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let [address, token] = std::env::args().skip(1).collect::<Vec<_>>().try_into().expect("HOST:PORT TOKEN");
    let bearer: MetadataValue<_> = format!("Bearer {token}").parse()?;
    let channel = Endpoint::from_shared(format!("http://{address}"))?.connect().await?;
    let mut shop = CartSyncServiceClient::with_interceptor(channel, move |mut request: Request<()>| {
        request.metadata_mut().insert("authorization", bearer.clone());
        Ok(request)
    });
    let answer = shop.get_sync_policy(GetSyncPolicyRequest {}).await?.into_inner();
    let (store_id, policy) = (answer.store_id, answer.policy.unwrap());
    println!("replay window {} hours", policy.replay_window.unwrap().seconds / 3600);

    let tea = add(1, "", "TEA-EARL-GREY-50", 2, 425);
    let mug = add(2, &tea.operation.as_ref().unwrap().idempotency_key, "MUG-BLUE", 1, 850);
    let queue_id = Uuid::new_v4().to_string();
    let hello = Hello { store_id: store_id.clone(), queue_id, expected_principal: answer.principal };
    let submits = [tea, mug.clone(), mug].map(|attempt| sync_request::Message::Submit(Submit { attempts: vec![attempt] }));
    let messages = std::iter::once(sync_request::Message::Hello(hello)).chain(submits);
    let requests = tokio_stream::iter(messages.map(|message| SyncRequest { message: Some(message) }));
    let mut responses = shop.sync(requests).await?.into_inner();
    while let Some(response) = responses.message().await? {
        let Some(sync_response::Message::Outcomes(outcomes)) = response.message else { continue };
        let outcome = outcomes.results[0].outcome.as_ref().unwrap();
        let state = outcome.state().as_str_name();
        println!("operation {} {state} replayed {}", outcome.sequence, outcomes.results[0].replayed);
    }
    let request = GetCartRequest { store_id, cart_id: "groceries".into(), ..Default::default() };
    for line in shop.get_cart(request).await?.into_inner().cart.unwrap().lines {
        let total = line.line_total.unwrap();
        println!("line {} {} {} {}", line.quantity, line.sku, total.minor_units, total.currency_code);
    }
    Ok(())
}

/// The operation that puts a product into the cart at the price the shopper saw, in pence.
fn add(sequence: i64, previous_key: &str, sku: &str, quantity: i32, pence: i64) -> OperationAttempt {
    let item = AddItem {
        cart_id: "groceries".into(),
        sku: sku.into(),
        quantity,
        observed_unit_price: Some(Money { currency_code: "GBP".into(), minor_units: pence }),
        quantity_policy: QuantityPolicy::Exact.into(),
        ..Default::default()
    };
    let operation = CartOperation {
        idempotency_key: Uuid::new_v4().to_string(),
        sequence,
        previous_key: previous_key.into(),
        intent: Some(Intent::AddItem(item)),
        ..Default::default()
    };
    OperationAttempt { operation: Some(operation), age: None }
}
