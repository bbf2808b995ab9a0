import { createHmac, randomBytes } from "node:crypto";
import { join } from "node:path";
import type { StoreOptions } from "../../src/core/provider.ts";
import { digest } from "./names.ts";

/**
 * Versions of a secret. The service knows them by the ClientRequestToken of whoever made them, in no order; the rest of
 * the product counts. A token of ours is therefore a UUID of version 8 (RFC 9562: free for own use) that begins with
 * the number and ends with a digest of name, number and content: the same write has the same token, so that a repeat
 * adds no version, and another one never has. The digest is keyed, because version ids stand in logs, where a plain one
 * would let anybody try out passwords; the key never leaves this machine.
 */

const OURS = /^([0-9a-f]{8})-[0-9a-f]{4}-8[0-9a-f]{3}-8[0-9a-f]{3}-[0-9a-f]{12}$/;
/** Above every number of ours. */
const FOREIGN = 2 ** 32;

/** The token for `content` as version `number` of the secret `name`. */
export function tokenFor(key: Buffer, name: string, number: number, content: string): string {
  const hash = createHmac("sha256", key)
    .update(digest(name, String(number), content))
    .digest("hex");
  const slot = number.toString(16).padStart(8, "0");
  return `${slot}-${hash.slice(0, 4)}-8${hash.slice(4, 7)}-8${hash.slice(7, 10)}-${hash.slice(10, 22)}`;
}

/** The key of this machine; made where there is none. */
export async function tokenKey({ files, home }: StoreOptions): Promise<Buffer> {
  const path = join(home, "aws", "token-key");
  const there = files.readIfExists(path);
  if (there !== undefined) return there;
  // Where two make it at once, one is made: both read that.
  await files.createPrivate(path, randomBytes(32));
  return files.read(path);
}

/** The number of a version; for one that others made, a large one which is the same each time. */
export function numberOf(versionId: string): number {
  return slotOf(versionId) ?? FOREIGN + Number.parseInt(digest(versionId).slice(0, 12), 16);
}

/** undefined for a version that others made. */
function slotOf(versionId: string): number | undefined {
  const slot = OURS.exec(versionId)?.[1];
  return slot === undefined ? undefined : Number.parseInt(slot, 16);
}

/** What `VersionIdsToStages` of DescribeSecret says. */
export interface Staged {
  readonly current: string | undefined;
  readonly previous: string | undefined;
  readonly all: ReadonlyMap<string, readonly string[]>;
}

export const CURRENT = "AWSCURRENT";
const PREVIOUS = "AWSPREVIOUS";

export function stagedOf(stages: Readonly<Record<string, readonly string[]>> | undefined): Staged {
  const all = new Map(Object.entries(stages ?? {}));
  const holderOf = (label: string) => [...all].find(([, labels]) => labels.includes(label))?.[0];
  return { current: holderOf(CURRENT), previous: holderOf(PREVIOUS), all };
}

/** The next number: above all of ours that a label still holds. */
export function nextNumber(staged: Staged): number {
  return 1 + Math.max(0, ...[...staged.all.keys()].map((id) => slotOf(id) ?? 0));
}

/** The label that holds a version of ours until it is current; each write has its own, so that none takes another's. */
export function labelFor(token: string): string {
  return `mcp-secrets-${token}`;
}
