import type { Provider, ResolveRequest, SecretSummary, StoredValue, StoreOptions } from "../../src/core/provider.ts";
import { UserError } from "../../src/errors.ts";
import { expandHome } from "./credential.ts";
import { describeKv, listKv, readAllKv, readWhole } from "./catalog.ts";
import { checkStore } from "./check.ts";
import { createClient } from "./client.ts";
import { plainWire, type Wire } from "./exchange.ts";
import { type KvMount, removeKv, writeKv } from "./kv.ts";
import { openLaunch } from "./launch.ts";
import { kvMounts, placeOf } from "./mounts.ts";
import { inParallel } from "../../src/core/parallel.ts";
import { createParent, type Parent } from "./parent.ts";
import { rightsFor, rightsText } from "./policy.ts";
import { resolveRefs } from "./resolve.ts";
import { requireRetention, retentionOf } from "./retention.ts";
import { engineRotation, rotationAt } from "./rotation.ts";
import { type AsParent, reapRemains } from "./scope.ts";
import type { Session } from "./session.ts";
import { parseVaultSettings, type VaultSettings } from "./settings.ts";
import { forgetSharedReads } from "./shared.ts";
import { createTransport } from "./transport.ts";

/** For a command that names no deadline of its own: `list`, `set`, `rm`. */
const COMMAND_TIME = 30_000;

/** `folder` is missing where no KV mount is set up: then nothing can be stored. */
type VaultProvider = Required<Omit<Provider, "folder" | "putAll">> & Pick<Provider, "folder">;

/**
 * A store in HashiCorp Vault or OpenBao.
 * @throws UserError config-invalid
 */
export async function open(options: StoreOptions): Promise<VaultProvider> {
  const settings = parseVaultSettings(options.store, options.settings);
  const wires = await Promise.all(settings.addresses.map((address) => wireTo(options, settings, address)));
  const transport = createTransport({ store: options.store, wires, now: options.now, chance: options.chance });
  const client = createClient(transport, settings.namespace);
  const parent = createParent(options, settings, client);
  return { ...providerOf(options, settings, parent), close: () => transport.close() };
}

function providerOf(options: StoreOptions, settings: VaultSettings, parent: Parent): Omit<VaultProvider, "close"> {
  const { store } = options;
  const least = settings.launch === "none" ? 0 : settings.launch.minTtl * 1000;
  const request = (): ResolveRequest => ({ deadline: options.now() + COMMAND_TIME });
  const kvAt = (path: string) => kvPlace(store, path, settings);
  const asParent: AsParent = (asked, work) => withParent(parent, asked, least, work);
  const [first] = kvMounts(settings.mounts);
  return {
    ...(first !== undefined && { folder: first.name }),
    resolve: (refs, asked) =>
      asParent(asked, (session) =>
        resolveRefs(session, settings.mounts, refs, { request: asked, leased: async () => {} }),
      ),
    async put(path, fields, { ifVersion }) {
      const { mount, rest } = kvAt(path);
      const asked = request();
      return changing(options, mount, rest, () =>
        withParent(parent, asked, 0, (session) => writeKv(session, mount, rest, { fields, ifVersion, request: asked })),
      );
    },
    list: () => withParent(parent, request(), 0, (session) => listAll(session, settings, request())),
    readAll: () => withParent(parent, request(), 0, (session) => readEverything(session, settings, request())),
    async describe(path) {
      const { mount, rest } = kvAt(path);
      const found = await withParent(parent, request(), 0, (session) => describeKv(session, mount, rest, request()));
      return found && { ...found, path };
    },
    async read(path, asked) {
      const { mount, rest } = kvAt(path);
      return withParent(parent, asked, 0, (session) => readWhole(session, mount, rest, asked));
    },
    async checkRetention(path, asked) {
      const { mount, rest } = kvAt(path);
      const found = await withParent(parent, asked, 0, (session) => retentionOf(session, mount, rest, asked));
      requireRetention(store, `${mount.path}/${rest}`, found);
    },
    async remove(path) {
      const { mount, rest } = kvAt(path);
      await changing(options, mount, rest, () =>
        withParent(parent, request(), 0, (session) => removeKv(session, mount, rest, request())),
      );
    },
    scope: (launch, asked, journal) => openLaunch({ options, settings, parent, asParent }, launch, asked, journal),
    reap: async (remains, asked) => {
      try {
        return await withParent(parent, asked, 0, (session) => reapRemains(session, remains, asked));
      } catch (error) {
        if (error instanceof UserError) return remains;
        throw error;
      }
    },
    rotation: (path, given) =>
      rotationAt(engineRotation(store, settings, path, given), (asked, work) => withParent(parent, asked, 0, work)),
    policyFor: (server, refs) => rightsText(store, server, rightsFor(store, settings, server, refs)),
    check: (asked) => checkStore(options, settings, parent, asked),
  };
}

/** What was read before is not handed out any more. */
async function changing<T>(options: StoreOptions, mount: KvMount, rest: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } finally {
    forgetSharedReads(options, `${mount.path}/${rest}`);
  }
}

/**
 * Work in the name of the store's login. Where the server refuses, the login of an earlier launch may have been ended
 * behind our back: it is done anew, once.
 */
async function withParent<T>(
  parent: Parent,
  request: ResolveRequest,
  milliseconds: number,
  work: (session: Session) => Promise<T>,
): Promise<T> {
  const session = await parent.session(request, milliseconds);
  try {
    return await work(session);
  } catch (error) {
    const mayBeOld = error instanceof UserError && error.code === "store-denied" && session.shared;
    if (!mayBeOld) throw error;
    parent.forget();
    return work(await parent.session(request, milliseconds));
  }
}

async function listAll(session: Session, settings: VaultSettings, request: ResolveRequest): Promise<SecretSummary[]> {
  const found = await inParallel(kvMounts(settings.mounts), async ({ name, mount }) => {
    const paths = await listKv(session, mount, request);
    const summaries = await inParallel(paths, (path) => describeKv(session, mount, path, request));
    return summaries.flatMap((summary) =>
      summary === undefined ? [] : [{ ...summary, path: `${name}/${summary.path}` }],
    );
  });
  return found.flat();
}

async function readEverything(
  session: Session,
  settings: VaultSettings,
  request: ResolveRequest,
): Promise<StoredValue[]> {
  const found = await inParallel(kvMounts(settings.mounts), async ({ name, mount }) => {
    const values = await readAllKv(session, mount, request);
    return values.map((value) => ({ ...value, path: `${name}/${value.path}` }));
  });
  return found.flat();
}

/** @throws UserError refused where the path leads to an engine, which makes its values itself */
function kvPlace(store: string, path: string, settings: VaultSettings): { mount: KvMount; rest: string } {
  const { mount, rest } = placeOf(store, path, settings.mounts);
  if (mount.type === "kv") return { mount, rest };
  throw new UserError("refused", `store ${store}: ${path} is made by an engine: nothing is stored there`, {
    hint: `name a KV mount: ${kvMounts(settings.mounts)
      .map(({ name }) => name)
      .join(", ")}`,
  });
}

/** The chunk with TLS is loaded where an address asks for it: it costs a launch more than all else here. */
async function wireTo(options: StoreOptions, settings: VaultSettings, address: string): Promise<Wire> {
  if (!address.startsWith("https:")) return plainWire(address);
  const { tlsWire } = await import("./tls.ts");
  const { caFile, certFile, keyFile } = settings;
  const read = (file: string) => options.files.read(expandHome(options, file));
  return tlsWire(
    address,
    {
      ...(caFile !== undefined && { ca: read(caFile) }),
      ...(certFile !== undefined && { cert: read(certFile) }),
      ...(keyFile !== undefined && { key: read(keyFile) }),
    },
    settings.proxy,
  );
}
