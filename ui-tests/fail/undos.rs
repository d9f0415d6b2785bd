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

async fn refund(cents: u64) -> Result<(), Failure> {
    println!("{cents}");
    Ok(())
}

async fn give_nothing(_: Reservation) {}

async fn with_steps(_: Reservation, step: Step) -> Result<(), Failure> {
    let _ = step;
    Ok(())
}

#[workflow]
async fn by_a_closure(event: TicketCreated, step: Step) -> Result<(), Failure> {
    let ticket = event.ticket;
    step.run("reserve", reserve(ticket))
        .undo(|reservation: Reservation| async move {
            println!("{} {ticket}", reservation.item);
            Ok::<_, Failure>(())
        })
        .await?;
    Ok(())
}

#[workflow]
async fn by_a_call(event: TicketCreated, step: Step) -> Result<(), Failure> {
    step.run("reserve", reserve(event.ticket)).undo(refund(7)).await?;
    Ok(())
}

#[workflow]
async fn of_another_output(event: TicketCreated, step: Step) -> Result<(), Failure> {
    step.run("reserve", reserve(event.ticket)).undo(refund).await?;
    Ok(())
}

#[workflow]
async fn by_what_gives_nothing(event: TicketCreated, step: Step) -> Result<(), Failure> {
    step.run("reserve", reserve(event.ticket)).undo(give_nothing).await?;
    Ok(())
}

#[workflow]
async fn with_a_handle(event: TicketCreated, step: Step) -> Result<(), Failure> {
    step.run("reserve", reserve(event.ticket)).undo(with_steps).await?;
    step.run("reserve-more", reserve(event.ticket)).undo(release).await?;
    Ok(())
}

#[workflow]
async fn of_a_sleep(_event: TicketCreated, step: Step) -> Result<(), Failure> {
    step.sleep("rest", "1h").undo(release).await;
    Ok(())
}

#[workflow]
async fn apart_from_its_step(event: TicketCreated, step: Step) -> Result<(), Failure> {
    let reserved = step.run("reserve", reserve(event.ticket));
    reserved.undo(release).await?;
    Ok(())
}

#[workflow]
async fn by_its_own(event: TicketCreated, step: Step) -> Result<(), Failure> {
    async fn refund(reservation: Reservation) -> Result<(), Failure> {
        println!("{}", reservation.item);
        Ok(())
    }
    let release = |reservation: Reservation| refund(reservation);
    step.run("reserve", reserve(event.ticket)).undo(refund).await?;
    step.run("reserve-more", reserve(event.ticket)).undo(release).await?;
    Ok(())
}

fn main() {}
