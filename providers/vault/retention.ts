import type { ResolveRequest } from "../../src/core/provider.ts";
import { UserError } from "../../src/errors.ts";
import { type KvMount, readMetadata } from "./kv.ts";
import { expectOk } from "./failure.ts";
import { ask, type Session } from "./session.ts";
import { numberOf, objectIn, textOf } from "./shape.ts";

/** How long a KV mount keeps old versions of a path. */
export interface Retention {
  readonly maxVersions: number;
  /** As Vault writes a duration; `0s` means that no version ends by itself. */
  readonly deleteAfter: string;
}

/** What KV v2 keeps where neither the mount nor the path says. */
const DEFAULT_VERSIONS = 10;
/** current, pending and previous. */
const VERSIONS_FOR_ROTATION = 3;

/** The path's own settings go before the mount's; 0 stands for "not set". KV v1 keeps one version. */
export async function retentionOf(
  session: Session,
  mount: KvMount,
  path: string,
  request: ResolveRequest,
): Promise<Retention> {
  if (mount.version === 1) return { maxVersions: 1, deleteAfter: "0s" };
  const reply = await session.client.read(`${mount.path}/config`, ask(session, request));
  const config = objectIn(session.store, expectOk(session.store, reply), "data");
  const own = await readMetadata(session, mount, path, request);
  const maxVersions = [own?.maxVersions ?? 0, numberOf(config, "max_versions") ?? 0].find((count) => count > 0);
  const deleteAfter = [own?.deleteAfter ?? "0s", textOf(config, "delete_version_after") ?? "0s"];
  return {
    maxVersions: maxVersions ?? DEFAULT_VERSIONS,
    deleteAfter: deleteAfter.find((duration) => duration !== "0s") ?? "0s",
  };
}

/**
 * Called before anything relies on an old version of a path.
 * @throws UserError refused where the mount may drop a version that is still needed
 */
export function requireRetention(
  store: string,
  place: string,
  retention: Retention,
  versions = VERSIONS_FOR_ROTATION,
): void {
  if (retention.maxVersions < versions) {
    throw new UserError(
      "refused",
      `store ${store} keeps ${retention.maxVersions} versions of ${place}, and ${versions} are needed`,
      { hint: `bao kv metadata put -max-versions=10 ${place}` },
    );
  }
  if (retention.deleteAfter !== "0s") {
    throw new UserError("refused", `store ${store} deletes every version of ${place} after ${retention.deleteAfter}`, {
      hint: `bao kv metadata put -delete-version-after=0s ${place}`,
    });
  }
}
