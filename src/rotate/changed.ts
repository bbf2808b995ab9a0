import type { Provider } from "../core/provider.ts";
import type { SecretRef } from "../core/ref.ts";
import { deadlineOf } from "./claim.ts";
import { readJournal } from "./journal.ts";
import type { RotationOptions } from "./options.ts";

/**
 * Which fields of a secret the rotation that has just promoted a value gave another one: a target leaves what is not its
 * business as it is. Every field, where the store keeps no journal of ours.
 * @throws UserError of the store
 */
export async function changedFields(
  ref: SecretRef,
  { provider, ...options }: { readonly provider: Provider } & Pick<RotationOptions, "now" | "callTime">,
): Promise<(field: string) => boolean> {
  const { read, put } = provider;
  if (read === undefined || put === undefined) return () => true;
  const found = await readJournal({ provider: { ...provider, read, put }, ref }, { deadline: deadlineOf(options) });
  if (found.type !== "journal") return () => true;
  const { state, values } = found;
  const isOver = state.phase === "idle";
  const before = isOver ? values.previous : values.current;
  const after = isOver ? (await read(ref.path, { deadline: deadlineOf(options) }))?.fields : values.candidate;
  if (before === undefined || after === undefined) return () => true;
  return (field) => {
    const [old, now] = [before[field], after[field]];
    return old === undefined || now === undefined || !old.equals(now);
  };
}
