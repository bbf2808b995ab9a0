import type {
  LaunchIdentity,
  LaunchScope,
  LeaseJournal,
  ResolveRequest,
  StoreOptions,
} from "../../src/core/provider.ts";
import { type Copies, dropCopies, openCopies } from "./copies.ts";
import { readKv } from "./kv.ts";
import type { Parent } from "./parent.ts";
import { readerOf } from "./reading.ts";
import type { Reads } from "./resolve.ts";
import { type AsParent, openScope, parentScope } from "./scope.ts";
import type { Session } from "./session.ts";
import { staleFor, type VaultSettings } from "./settings.ts";
import { openSharedReads } from "./shared.ts";
import { withCopies } from "./stale.ts";

/** The store that a launch reads from, opened. */
export interface Opened {
  readonly options: StoreOptions;
  readonly settings: VaultSettings;
  readonly parent: Parent;
  readonly asParent: AsParent;
}

/** What a launch gets of the store: a scope that shares reads, and has copies where the settings allow them. */
export async function openLaunch(
  opened: Opened,
  launch: LaunchIdentity,
  request: ResolveRequest,
  journal: LeaseJournal,
): Promise<LaunchScope> {
  const { options, settings } = opened;
  const reader = readerOf(settings, launch.entry);
  const copies = copiesOf(opened, reader);
  const open = (asked: ResolveRequest) => scopeFor(opened, { launch, journal, reader, copies }, asked);
  if (copies !== undefined) return withCopies(copies, request, open);
  // The user may have taken the permission back.
  dropCopies(options);
  return open(request);
}

interface Launching {
  readonly launch: LaunchIdentity;
  readonly journal: LeaseJournal;
  readonly reader: string;
  readonly copies: Copies | undefined;
}

async function scopeFor(opened: Opened, launching: Launching, request: ResolveRequest): Promise<LaunchScope> {
  const { options, settings, parent, asParent } = opened;
  const { launch, journal } = launching;
  if (settings.launch === "none") {
    return parentScope(
      { settings, journal, readStatic: (session, ...rest) => reading(options, launching, session)(session, ...rest) },
      asParent,
    );
  }
  const own = settings.launch;
  return asParent(request, (session) => {
    const identity = { ...launch, host: options.host };
    const parts = { parent, settings, launch: identity, journal, readStatic: reading(options, launching, session) };
    return openScope(parts, session, own, request);
  });
}

/** A read that other launches with the same rights share, and that is copied where that is allowed. */
function reading(options: StoreOptions, launching: Launching, login: Session): NonNullable<Reads["readStatic"]> {
  const shared = openSharedReads(options, login.token, launching.reader);
  return async (session, { mount, rest, path }, request) => {
    const found = await shared.get(`${mount.path}/${rest}`, () => readKv(session, mount, rest, request));
    if (found.shared !== true) await launching.copies?.keep(path, found);
    return found;
  };
}

function copiesOf({ options, settings }: Opened, reader: string): Copies | undefined {
  if (settings.stale === undefined) return undefined;
  return openCopies(options, reader, (path) => staleFor(settings, path));
}
