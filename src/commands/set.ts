import { appendAudit } from "../audit/log.ts";
import type { Context } from "../context.ts";
import type { Fields, Provider } from "../core/provider.ts";
import { type SecretRef, fieldOf, formatRef } from "../core/ref.ts";
import { Secret } from "../core/secret.ts";
import { EXIT, UserError } from "../errors.ts";
import { markReplaced } from "../rotate/marks.ts";
import { openStore } from "../stores.ts";
import { secretArgument } from "./reference.ts";

/** Races that are tried again: each one lost means that another writer got on. */
const ATTEMPTS = 50;
/** Linux hands no string over 128 KiB to a process (execve(2), MAX_ARG_STRLEN). */
const MAX_LENGTH = 128 * 1024 - 1;
const TIME = 10_000;

/**
 * `set REF`: the value from stdin, or typed without echo, becomes the current one of its field; the other fields of the
 * secret stay.
 */
export async function runSet(context: Context, text: string): Promise<number> {
  const ref = secretArgument(text);
  const provider = await openStore(context, ref.store);
  const value = await readValue(context, ref);
  const { version, changed } = await replaceField(context, provider, ref, value);
  appendAudit(context, { event: "stored", outcome: "ok", refs: [formatRef(ref)] });
  await markReplaced(context, { ref, version, changed }, context.now());
  context.terminal.out(`${formatRef(ref)} is stored, version ${version}\n`);
  return EXIT.ok;
}

async function readValue({ terminal }: Context, ref: SecretRef): Promise<Secret> {
  const typed = terminal.inIsTty;
  const value = typed ? await terminal.askHidden(`value of ${formatRef(ref)}: `) : decode(terminal.readInput());
  if (value === undefined || value === "") throw new UserError("usage", "no value was given: nothing is stored");
  if (value.includes("\0")) throw unusable("holds a NUL, which no environment can");
  if (Buffer.byteLength(value) > MAX_LENGTH) throw unusable("is longer than 128 KiB, which no environment can hold");
  return new Secret(value);
}

/** One line end is what `echo` adds. */
function decode(input: Buffer): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(input).replace(/\r?\n$/, "");
  } catch {
    throw unusable("is not UTF-8 text");
  }
}

function unusable(reason: string): UserError {
  return new UserError("usage", `the value ${reason}: nothing is stored`);
}

async function replaceField(
  context: Context,
  provider: Provider,
  ref: SecretRef,
  value: Secret,
): Promise<{ readonly version: number; readonly changed: boolean }> {
  const put = provider.put?.bind(provider);
  if (put === undefined) throw new UserError("refused", `store ${ref.store} cannot be written to`);
  for (let attempt = 1; ; attempt += 1) {
    try {
      const { version, fields } = await currentFields(context, provider, ref);
      const changed = fields[fieldOf(ref)]?.equals(value) !== true;
      return { version: await put(ref.path, { ...fields, [fieldOf(ref)]: value }, { ifVersion: version }), changed };
    } catch (error) {
      // Changed, or removed, since it was looked at.
      const lost = error instanceof UserError && ["secret-exists", "secret-not-found"].includes(error.code);
      if (!lost || attempt === ATTEMPTS) throw error;
    }
  }
}

/** Where another writer gets between the two reads, the write fails. */
async function currentFields(
  context: Context,
  provider: Provider,
  { store, path }: SecretRef,
): Promise<{ readonly version: number; readonly fields: Fields }> {
  const summary = await provider.describe?.(path);
  if (summary === undefined) return { version: 0, fields: {} };
  const refs = summary.fields.map((field) => ({ store, path, field }));
  const resolved = await provider.resolve(refs, { deadline: context.now() + TIME });
  const fields = Object.fromEntries(resolved.map(({ ref, value }) => [fieldOf(ref), value]));
  return { version: summary.version, fields };
}
