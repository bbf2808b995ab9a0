import { decrypt, encrypt } from "./age/age.ts";
import { AgeError } from "./age/error.ts";
import type { Identity, Recipient } from "./age/keys.ts";

/** What a thread is asked to do, as plain data that goes from one thread to another. */
export type Task =
  | { readonly work: "seal"; readonly texts: Pack; readonly recipients: readonly Recipient[] }
  | { readonly work: "open"; readonly files: Pack; readonly identities: readonly Identity[] };

/** What came of each text or file; those that failed have no bytes. */
export interface Outcome {
  readonly done: Pack;
  readonly failures: readonly Failure[];
}

interface Failure {
  readonly at: number;
  readonly reason: AgeError["reason"];
  readonly message: string;
}

/** Many buffers in one: each alone would be copied with the pool of Node that it is a part of. */
export interface Pack {
  readonly bytes: Uint8Array;
  readonly lengths: readonly number[];
}

/** The text of a file, or why it has none. */
export type Opened = Buffer | AgeError;

export function pack(parts: readonly Buffer[]): Pack {
  return { bytes: Buffer.concat(parts), lengths: parts.map(({ length }) => length) };
}

export function unpack({ bytes, lengths }: Pack): Buffer[] {
  let end = 0;
  return lengths.map((length) => {
    end += length;
    return Buffer.from(bytes.buffer, bytes.byteOffset + end - length, length);
  });
}

/** Does a task, whatever thread this is. */
export function perform(task: Task): Outcome {
  if (task.work === "open") {
    const identities = task.identities.map(({ key, recipient }) => ({ key, recipient: ownRecipient(recipient) }));
    return outcomeOf(unpack(task.files).map((file) => openFile(file, identities)));
  }
  const recipients = task.recipients.map(ownRecipient);
  return outcomeOf(unpack(task.texts).map((text) => encrypt(text, recipients)));
}

export function openFile(file: Buffer, identities: readonly Identity[]): Opened {
  try {
    return decrypt(file, identities);
  } catch (error) {
    if (error instanceof AgeError) return error;
    throw error;
  }
}

function outcomeOf(results: readonly Opened[]): Outcome {
  const failures = results.flatMap((result, at) => {
    return result instanceof AgeError ? [{ at, reason: result.reason, message: result.message }] : [];
  });
  return { done: pack(results.map((result) => (result instanceof AgeError ? Buffer.alloc(0) : result))), failures };
}

export function resultsOf({ done, failures }: Outcome): Opened[] {
  const results: Opened[] = unpack(done);
  for (const { at, reason, message } of failures) results[at] = new AgeError(reason, message);
  return results;
}

export function isTask(value: unknown): value is Task {
  return typeof value === "object" && value !== null && "work" in value;
}

export function isOutcome(value: unknown): value is Outcome {
  return typeof value === "object" && value !== null && "done" in value && "failures" in value;
}

/** A buffer is a plain array of bytes once it went from one thread to another. */
function ownRecipient({ share, key }: Recipient): Recipient {
  return { share: Buffer.from(share), key };
}
