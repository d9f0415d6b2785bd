use async_trait::async_trait;
use indelible::prelude::*;

use super::{Analyser, Analysis, Priority};
use crate::desk::Ticket;

/// Understands tickets by the words in them: not cleverly, but at once and without cost.
pub(super) struct Rules;

/// What one has to know about to answer a ticket with such words. A word stands for all that begin
/// with it.
const SKILLS: &[(&str, &[&str])] = &[
    (
        "networking",
        &[
            "router",
            "fjord",
            "internet",
            "wi-fi",
            "wifi",
            "wlan",
            "mesh",
            "nat ",
            "ipv6",
            "vpn",
            "port ",
            "channel",
            "kanal",
            "satellite",
            "roaming",
            "mbit",
            "lease",
            "guest",
            "network",
            "backhaul",
            "gigabit",
        ],
    ),
    ("firmware", &["firmware", "updating, do not unplug", "aktualisierung"]),
    (
        "lighting",
        &[
            "lamp", "lumen", "light", "bulb", "dim ", "dimm", "lámpara", "bombilla", "lampada",
            "lampad", "lampen", "valo", "valaisin", "램프", "flicker", "strip",
        ],
    ),
    (
        "automation",
        &["schedule", "automation", "scene", "sunrise", "ajastus", "ajastukset", "timer", "hub"],
    ),
    (
        "photos",
        &[
            "photo",
            "album",
            "tidemark",
            "picture",
            "thumbnail",
            "raw",
            "foto",
            "ảnh",
            "写真",
            "照片",
            "video",
            "fotografía",
            "動画",
            "공유",
        ],
    ),
    ("sync", &["sync", "upload", "backup", "backed up", "導出", "导出", "sincroniz", "đồng bộ"]),
    (
        "mobile",
        &[
            "iphone",
            "android",
            "phone",
            "tablet",
            "widget",
            "voiceover",
            "app ",
            "téléphone",
            "tableau",
            "앱",
            "위젯",
            "갤럭시",
            "móveis",
            "携帯",
            "端末",
            "điện thoại",
        ],
    ),
    (
        "api",
        &[
            "api",
            "sdk",
            "pagination",
            "openapi",
            "/v2/",
            "429",
            "retry-after",
            "idempotency",
            "script",
        ],
    ),
    ("webhooks", &["webhook", "integration: legacy", "deliver"]),
    (
        "billing",
        &[
            "charged",
            "charge",
            "subscription",
            "plan ",
            "discount",
            "sconto",
            "cobrado",
            "price",
            "abonnement",
            "abonnément",
            "receipt",
            "pagamento",
            "currency",
            "card ",
            "cards",
            "kaart",
            "compensation",
            "voucher",
            "student",
            "alennus",
            "paused",
            "résili",
            "recibo",
        ],
    ),
    (
        "refunds",
        &[
            "refund",
            "money back",
            "rimbors",
            "rembours",
            "devolver",
            "zwrot",
            "reembols",
            "like it back",
        ],
    ),
    (
        "invoicing",
        &[
            "invoice",
            "paperplane",
            "rechnung",
            "facture",
            "factura",
            "fattura",
            "fatura",
            "factuur",
            "vat",
            "iva",
            "moms",
            "credit note",
            "kreditnota",
            "tax",
            "line item",
            "quote",
            "tilbud",
            "presupuesto",
            "footer",
            "عروض",
            "الفواتير",
            "reminder",
            "pdf",
        ],
    ),
    ("printing", &["print", "drucker", "imprim", "thermal"]),
    ("performance", &["slow", "langsam", "lent", "seconds per", "14 seconds", "太慢", "2mb"]),
    (
        "shipping",
        &[
            "parcel", "deliver", "courier", "kurier", "paczk", "colis", "carton", "envío",
            "entrega", "pedido", "배송", "shipp", "order ", "commande", "ordine", "bestell",
            "arrivato", "arrived", "cable", "kabel",
        ],
    ),
    (
        "returns",
        &[
            "return",
            "retur",
            "reso",
            "rimandare",
            "send back",
            "warranty",
            "garantie",
            "defekt",
            "broken",
            "cassé",
            "교환",
            "used one",
            "exchange",
        ],
    ),
    (
        "account",
        &[
            "account",
            "konto",
            "compte",
            "cuenta",
            "hesab",
            "log in",
            "logged in",
            "sign in",
            "signed in",
            "login",
            "password",
            "đăng nhập",
            "two-factor",
            "sso",
            "sign-in",
            "merge",
            "log in",
            "code de secours",
            "招待",
            "invite",
            "palavra-passe",
            "mitid",
            "name change",
        ],
    ),
    (
        "security",
        &["security", "hole", "breach", "stranger", "seguridad", "session", "token", "443"],
    ),
    (
        "privacy",
        &[
            "privacy",
            "gdpr",
            "article 15",
            "personal data",
            "private",
            "silmek",
            "silme",
            "other people's",
            "wrong person",
            "somebody else's",
        ],
    ),
    (
        "accessibility",
        &["screen reader", "voiceover", "contrast", "bigger", "grey text", "文字が小さ", "larger"],
    ),
    (
        "localisation",
        &[
            "translat",
            "traduction",
            "traduit",
            "italiano",
            "français",
            "plural",
            "rtl",
            "hebrew",
            "greek",
            "twi ",
            "umlaut",
            "العربي",
            "swedish",
            "bilingue",
            "language",
        ],
    ),
];

/// Words of those who cannot wait.
const URGENT: &[&str] = &[
    "urgent",
    "urgente",
    "dringend",
    "immediately",
    "asap",
    "outage",
    "production",
    "locked out",
    "breach",
    "verschmort",
    "smell",
    "riecht",
    "security hole",
    "any copy",
    "sin poder trabajar",
    "court",
    "72 hours",
    "payroll",
    "rückruf",
];

/// Words of those who can: they outweigh the others, as "not urgent" contains "urgent".
const PATIENT: &[&str] = &[
    "no hurry",
    "no rush",
    "not urgent",
    "keine eile",
    "suggestion",
    "just wondering",
    "wunsch",
    "feature request",
    "would be nice",
    "nice to have",
    "would love",
    "i wish",
    "was curious",
    "a small thing",
    "急ぎではありません",
    "mitään kiirettä",
    "typo",
    "it works",
    "you're welcome",
    "only telling you",
    "kurze rückmeldung",
    "take the day off",
    "happily",
    "is lovely",
];

#[async_trait]
impl Analyser for Rules {
    async fn analyse(&self, ticket: &Ticket) -> Result<Analysis, Failure> {
        // Words end with a space, so that `app ` is found at the end and not in `apply`.
        let text = format!("{} {} ", ticket.title, ticket.description).to_lowercase();
        let text = text.replace(['.', ',', ';', ':', '?', '!', '"', '(', ')'], " ");
        let any = |words: &[&str]| words.iter().any(|word| mentions(&text, word));

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

/// Whether a word of the text begins with `word`. Scripts that do not part their words are searched
/// anywhere.
fn mentions(text: &str, word: &str) -> bool {
    let parted = word.chars().next().is_some_and(|first| first < '\u{1100}');
    text.match_indices(word).any(|(at, _)| {
        !parted || text[..at].chars().next_back().is_none_or(|before| !before.is_alphanumeric())
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
        let analysis = analyse("Invoices", "The vapid applet is private.").await;
        assert_eq!(analysis.skills, ["invoicing", "privacy"]);
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
