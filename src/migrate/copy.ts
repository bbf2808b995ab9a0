import { inParallel } from "../core/parallel.ts";
import type { ResolvedSecret } from "../core/provider.ts";
import { formatRef, type SecretRef } from "../core/ref.ts";
import { UserError } from "../errors.ts";
import type { Relocation, RelocationPorts } from "./relocate.ts";

type CopyPorts = Pick<RelocationPorts, "open" | "request">;

/**
 * Copies what is not there yet; then reads copies and sources back, so that no config is led to anything else than what
 * it had. Sources stay as they are.
 * @throws UserError config-changed where a place was taken or a secret replaced meanwhile: plan again
 */
export async function copySecrets(
  relocations: readonly Relocation[],
  ports: CopyPorts,
): Promise<readonly Relocation[]> {
  const missing = relocations.filter(({ known }) => !known);
  await inParallel(missing, async ({ to, fields, origin }) => {
    const target = await ports.open(to.store);
    if (target.put === undefined) throw new UserError("refused", `store ${to.store} cannot be written to`);
    try {
      await target.put(to.path, fields, { ifVersion: 0, origin });
    } catch (error) {
      // Another run may have copied the same: the comparison below tells.
      if (!(error instanceof UserError) || error.code !== "secret-exists") throw error;
    }
  });
  for (const side of ["to", "from"] as const) await compare(relocations, side, ports);
  return missing;
}

async function compare(relocations: readonly Relocation[], side: "to" | "from", ports: CopyPorts): Promise<void> {
  for (const store of new Set(relocations.map((one) => one[side].store))) {
    const fields = relocations.filter((one) => one[side].store === store).flatMap((one) => fieldsAt(one, side));
    const provider = await ports.open(store);
    const read = await provider.resolve(
      fields.map(({ ref }) => ref),
      ports.request(),
    );
    const other = fields.find(({ value, version }, index) => {
      const now: ResolvedSecret | undefined = read[index];
      return now === undefined || !now.value.equals(value) || (version !== undefined && now.version !== version);
    });
    if (other !== undefined) throw changed(other.ref);
  }
}

function fieldsAt(relocation: Relocation, side: "to" | "from") {
  const version = side === "from" ? relocation.version : undefined;
  return Object.entries(relocation.fields).map(([field, value]) => {
    return { ref: { ...relocation[side], field }, value, version };
  });
}

function changed(ref: SecretRef): UserError {
  return new UserError("config-changed", `${formatRef(ref)} was changed while it was moved`, {
    hint: "run the same mcp-secrets migrate again",
  });
}
