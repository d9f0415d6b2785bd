use indelible::prelude::*;
use indelible_ui_tests::TicketCreated;

struct Shop;

#[derive(Serialize, Deserialize)]
struct Reservation {
    item: u32,
}

async fn reserve(item: u32) -> Result<Reservation, Failure> {
    Ok(Reservation { item })
}

async fn release(reservation: Reservation, Resource(_shop): Resource<Shop>) -> Result<(), Failure> {
    println!("{}", reservation.item);
    Ok(())
}

mod payments {
    pub async fn refund(_charge: u64) -> std::io::Result<()> {
        Ok(())
    }
}

#[workflow(input)]
async fn charge(cents: u64) -> Result<u64, Failure> {
    Ok(cents)
}

#[durable]
async fn pack<T: Send + Sync>(step: &Step, _what: T) -> Result<(), Failure> {
    step.run("reserve", reserve(1)).undo(release).retries(2).await?;
    Ok(())
}

#[workflow]
async fn on_created(event: TicketCreated, step: Step) -> Result<(), Failure> {
    step.run("reserve", reserve(event.ticket)).retries(2).undo(release).timeout("1s").await?;
    step.invoke("charge", charge, 7).undo(payments::refund).await?;
    pack(&step, "x").await?;
    pack(&step, 1).await?;
    Ok(())
}

fn main() {
    let undos: Vec<_> = on_created::GRAPH.states().iter().map(|state| state.undo).collect();
    assert_eq!(undos, [Some("release"), Some("payments::refund"), None, None]);
    assert_eq!(on_created::GRAPH.states()[2].helper.unwrap().states()[0].undo, Some("release"));
}
