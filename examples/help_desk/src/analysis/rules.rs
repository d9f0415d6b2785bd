use async_trait::async_trait;
use indelible::prelude::*;

use super::{Analyser, Analysis, Priority};
use crate::desk::Ticket;

/// Understands tickets by the words in them: not cleverly, but at once and without cost.
pub(super) struct Rules;

/// What one has to know about to answer a ticket with such words. A word stands for all that begin
/// with it, unless it ends with `|`.
const SKILLS: &[(&str, &str)] = &[
    (
        "networking",
        "router, fjord, internet, wi-fi, wifi, wlan, mesh, nat|, ipv6, vpn, port|, channel, kanal, \
         satellite, roaming, mbit, lease, guest, network, backhaul, gigabit",
    ),
    ("firmware", "firmware, do not unplug, aktualisierung"),
    (
        "lighting",
        "lamp, lumen, light, bulb, dim|, dimm, lámpara, bombilla, lampada, valo, valaisin, 램프, \
         flicker, strip",
    ),
    ("automation", "schedule, automation, scene, sunrise, ajastu, timer, hub|"),
    (
        "photos",
        "photo, album, tidemark, picture, thumbnail, raw|, foto, ảnh, 写真, 照片, video, 動画",
    ),
    ("sync", "sync, upload, backup, 导出, sincroniz, đồng bộ"),
    (
        "mobile",
        "iphone, android, phone, tablet, widget, voiceover, app|, téléphone, 앱, 위젯, 갤럭시, \
         móveis, 端末, điện thoại",
    ),
    ("api", "api|, sdk, pagination, openapi, 429, retry-after, idempotency, script"),
    ("webhooks", "webhook, integration: legacy"),
    (
        "billing",
        "charge, subscription, plan|, discount, sconto, cobrado, price, abonnement, receipt, \
         pagamento, currency, card|, cards|, kaart, compensation, voucher, student, alennus, paused, \
         résili, recibo",
    ),
    ("refunds", "refund, money back, rimbors, rembours, devolver, zwrot, reembols, like it back"),
    (
        "invoicing",
        "invoice, paperplane, rechnung, facture, factura, fattura, fatura, factuur, vat|, iva|, \
         moms|, kreditnota, tax|, line item, quote, tilbud, presupuesto, footer, عروض, الفواتير, \
         reminder, pdf",
    ),
    ("printing", "print, drucker, imprim, thermal"),
    ("performance", "slow, langsam, lent|, seconds per, 14 seconds, 太慢"),
    (
        "shipping",
        "parcel, deliver, courier, kurier, paczk, colis, carton, envío, entrega, pedido, 배송, \
         shipp, order|, commande, ordine, bestell, arrivato, arrived, cable, kabel",
    ),
    (
        "returns",
        "return, retur, reso|, rimandare, send back, warranty, garantie, defekt, broken, cassé, \
         교환, used one, exchange",
    ),
    (
        "account",
        "account, konto, compte, cuenta, hesab, log in, logged in, sign in, signed in, login, \
         sign-in, password, palavra-passe, đăng nhập, two-factor, sso|, merge, code de secours, 招待, \
         invite, mitid, name change",
    ),
    ("security", "security, breach, stranger, seguridad, session, token, 443"),
    (
        "privacy",
        "privacy, gdpr, article 15, personal data, private, silme, other people's, wrong person, \
         somebody else's",
    ),
    ("accessibility", "screen reader, voiceover, contrast, bigger, grey text, 文字が小さ, larger"),
    (
        "localisation",
        "translat, traduction, traduit, italiano, français, plural, rtl|, hebrew, greek, twi|, \
         umlaut, العربي, swedish, language",
    ),
];

/// Words of those who cannot wait.
const URGENT: &str = "\
    urgent, dringend, immediately, asap, outage, production, locked out, breach, verschmort, smell, \
    riecht, security hole, any copy, sin poder trabajar, court, 72 hours, payroll, rückruf";

/// Words of those who can: they outweigh the others, as "not urgent" contains "urgent".
const PATIENT: &str = "\
    no hurry, no rush, not urgent, keine eile, suggestion, just wondering, wunsch, feature request, \
    would be nice, nice to have, would love, i wish, was curious, a small thing, \
    急ぎではありません, mitään kiirettä, typo, it works, you're welcome, only telling you, \
    kurze rückmeldung, take the day off, is lovely";

#[async_trait]
impl Analyser for Rules {
    async fn analyse(&self, ticket: &Ticket) -> Result<Analysis, Failure> {
        let text = format!("{} {}", ticket.title, ticket.description).to_lowercase();
        let any = |words: &str| words.split(", ").any(|word| mentions(&text, word));

        let skills: Vec<String> = SKILLS
            .iter()
            .filter(|(_, words)| any(words))
            .map(|(skill, _)| (*skill).to_owned())
            .collect();
        let (priority, hurry) = if any(PATIENT) {
            (Priority::Low, "the customer is in no hurry")
        } else if any(URGENT) {
            (Priority::High, "the customer cannot wait")
        } else {
            (Priority::Medium, "nothing in it says that it is urgent")
        };
        let topic = match skills.as_slice() {
            [] => "nothing that the rules know".to_owned(),
            skills => skills.join(", "),
        };
        Ok(Analysis { priority, notes: format!("It is about {topic}; {hurry}."), skills })
    }
}

/// Whether a word of the text begins with `word`, or is it, if it ends with `|`. Scripts that do not
/// part their words are searched anywhere.
fn mentions(text: &str, word: &str) -> bool {
    let whole = word.ends_with('|');
    let word = word.trim_end_matches('|');
    let parted = word.starts_with(|first| first < '\u{1100}');
    text.match_indices(word).any(|(at, _)| {
        let begins = !text[..at].ends_with(char::is_alphanumeric);
        let ends = !text[at + word.len()..].starts_with(char::is_alphanumeric);
        !parted || begins && (ends || !whole)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn analyse(title: &str, description: &str) -> Analysis {
        let ticket = Ticket {
            id: Uuid::nil(),
            opened_by: Uuid::nil(),
            title: title.to_owned(),
            description: description.to_owned(),
        };
        Rules.analyse(&ticket).await.unwrap()
    }

    #[tokio::test]
    async fn skills_are_found_at_the_beginning_of_words_only() {
        let analysis = analyse("Invoices", "The vapid applet of a privateer, printed.").await;
        assert_eq!(analysis.skills, ["invoicing", "printing", "privacy"]);
    }

    #[tokio::test]
    async fn scripts_without_spaces_are_understood() {
        let analysis = analyse("보내기", "새 앱에서 배송을 조회하고 싶어요").await;
        assert_eq!(analysis.skills, ["mobile", "shipping"]);
    }

    #[tokio::test]
    async fn urgency_is_heard_and_patience_outweighs_it() {
        assert_eq!(analyse("Outage?", "All is dark.").await.priority, Priority::High);
        assert_eq!(analyse("Colours", "This is not urgent.").await.priority, Priority::Low);
        assert_eq!(analyse("Colours", "They are wrong.").await.priority, Priority::Medium);
    }

    #[tokio::test]
    async fn what_no_rule_knows_is_said_so() {
        let analysis = analyse("Hm", "Hm hm").await;
        assert_eq!(analysis.skills, Vec::<String>::new());
        assert!(analysis.notes.contains("nothing that the rules know"), "{}", analysis.notes);
    }
}
