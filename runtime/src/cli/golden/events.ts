// The events of the app `help-desk`, as `schema export --format typescript` writes them.

/** One comes with `*\/` in it. */
export type Attachment = "None" | {
  Text: string;
} | {
  Image: {
    size: [number /* uint32 */, number /* uint32 */];
    url: string;
  };
};

/** Who has opened a ticket. */
export type Author = /** Somebody with an account. */ {
  id: string /* uuid */;
  kind: "user";
} | {
  email: string;
  kind: "guest";
  name?: string | null;
};

/** A name that a type of the document could have. */
export interface Events {
  by_name: Record<string, Record_>;
  priority: Priority2;
}

export type Number = number /* int64 */ | string;

/** How urgent a ticket is. */
export type Priority = "low" | "very-high";

export interface Priority2 {
  seconds: number /* uint32 */;
}

/** So could this. */
export interface Record_ {
  id: number /* uint64 */;
}

/** Points to itself. */
export interface Thread {
  replies: Thread[];
  subject: string;
}

export interface TicketClosed {
  is_solved: boolean;
  ticket_id: string /* uuid */;
}

/**
 * A customer opened a support ticket.
 *
 * It has not been looked at.
 */
export interface TicketCreated {
  anything: unknown;
  attachments: Attachment[];
  author: Author;
  fallback?: Priority | null;
  names: Record<string, string | null>;
  note?: string | null;
  nothing: null;
  number: Number;
  "opened-at": string /* date-time */;
  priority: Priority;
  scores: Record<string, number /* double */>;
  tags?: string[];
  tenant: string;
  thread: Thread;
  /** Names the ticket. */
  ticket_id: string /* uuid */;
}

/** The data of each event, by its name. */
export interface Events_ {
  "queue/moved": Events;
  "ticket/closed": TicketClosed;
  "ticket/created": TicketCreated;
}
