import { formatRef } from "../../core/ref.ts";
import { UserError } from "../../errors.ts";
import type { NativeTarget, TargetOptions } from "../target.ts";

/**
 * What the store of the secret rotates by itself: an AWS rotation function, a static role or the root of a database
 * mount of Vault. Its settings are the store's to read.
 * @throws UserError config-invalid where the store rotates nothing
 */
export function open({ ref, native }: TargetOptions): NativeTarget {
  if (native !== undefined) return { ...native, kind: "native" };
  throw new UserError("config-invalid", `${formatRef(ref)}: store ${ref.store} rotates nothing by itself`, {
    hint: "name another target in its rotation, in config.jsonc",
  });
}
