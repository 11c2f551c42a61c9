/** A call: what a client does once, and how it ended. */

import { z } from "zod";

/** Traffic is counted apart by protocol and address family, for each takes its own way through the kernel. */
export const protocols = ["TCP", "UDP"] as const;
export const families = [4, 6] as const;

/** Calls of one kind that ended alike. */
export const callCount = z.object({
  protocol: z.enum(protocols),
  family: z.literal(families),
  /** Who answered; `null` where nobody did. */
  backend: z.string().nullable(),
  /** Why nobody did: an error's code where it has one, such as `EHOSTUNREACH`, else its message. */
  error: z.string().nullable(),
  count: z.number().int().positive(),
});
export type CallCount = z.infer<typeof callCount>;

/** What the client tells, one line of JSON at a time. */
export const callReport = z.array(callCount);
