import type { Fields } from "../../core/provider.ts";
import { type SecretRef, formatRef } from "../../core/ref.ts";
import { Secret } from "../../core/secret.ts";
import { UserError } from "../../errors.ts";
import type { RotationRequest, SetTarget, TargetOptions, Verdict } from "../target.ts";
import { refused } from "./failure.ts";
import { type UserLogin, adminLogin, endingExposed, isSame, userLogin, withLogin } from "./login.ts";
import { type Change, changeOwnPassword, changePassword } from "./mysql/change.ts";
import { type Query, driver, withConnection } from "./mysql/connection.ts";
import { refusalOf, verdictOf } from "./mysql/failure.ts";
import { account, grantsOf, missingGrants } from "./mysql/grants.ts";
import { type MysqlSettings, parseMysql } from "./mysql/settings.ts";
import { newPassword } from "./password.ts";
import { type System, askIfTaken, changeAlone } from "./system.ts";
import { tlsOptions } from "./tls.ts";

/**
 * A user of a MySQL or MariaDB server. MySQL keeps the old password beside the new one until it is told to discard it
 * (class O). MariaDB does not: two users take turns (class O), or one is changed alone (class X).
 * @throws UserError config-invalid
 */
export function open(options: TargetOptions): SetTarget {
  const settings = endingExposed(parseMysql(options.ref, options.settings), options);
  const target: Opened = { options, settings, system: systemOf(options, settings) };
  return {
    kind: "set",
    class: settings.mode === "single" ? "X" : "O",
    ...(settings.mode === "pair" && settings.retire === "next" && { keepsOld: true }),
    propose: ({ current }) => propose(target, current),
    test: (fields, request) => test(target, fields, request),
    set: (fields, request) => told(target, fields, () => set(target, fields, request)),
    retire: (old, request) => told(target, old, () => retire(target, old, request)),
  };
}

export const ready = driver;

interface Opened {
  readonly options: TargetOptions;
  readonly settings: MysqlSettings;
  readonly system: System<Query>;
}

function propose(target: Opened, current: Fields): Fields {
  const { options, settings } = target;
  const { user } = loginOf(target, current);
  const next = settings.users.find((each) => each !== user) ?? user;
  return withLogin(current, settings.places, { user: next, password: new Secret(newPassword(options.random)) });
}

async function test(target: Opened, fields: Fields, request: RotationRequest): Promise<Verdict> {
  const { system } = target;
  const login = loginOf(target, fields);
  const current = loginOf(target, request.current);
  const look = (query: Query) => grantsOf(query, "CURRENT_USER()");
  try {
    const own = await system.ask(login, request, look);
    if (login.user === current.user) return { type: "valid" };
    // Who may not look into the tables of the server sees no grants but its own.
    let old: readonly string[] = [];
    await askIfTaken(system, current, request, async (query) => void (old = await look(query)));
    const missing = missingGrants(old, own);
    return missing.length === 0 ? { type: "valid" } : { type: "lacking", missing };
  } catch (error) {
    if (error instanceof UserError) throw error;
    return system.verdictOf(error);
  }
}

async function set(target: Opened, fields: Fields, request: RotationRequest): Promise<void> {
  const { settings, system } = target;
  const { admin, mode } = settings;
  const login = loginOf(target, fields);
  const change = changeOf(target, login);
  if (admin === undefined) return setAlone(target, login, request);
  const current = loginOf(target, request.current);
  // To be put back, and still there: better not touched. And kept a second time, the new password would be its own old
  // one, and the old one gone.
  const mayBeThere = mode === "dual" || isSame(login, current);
  if (mayBeThere && (await askIfTaken(system, login, request))) return;
  const more = { keep: mode === "dual", ...(current.user !== login.user && { model: current.user }) };
  await askAdmin(target, admin, request, (query) => changePassword(query, change, more));
}

async function setAlone(target: Opened, login: UserLogin, request: RotationRequest): Promise<void> {
  const { options, system, settings } = target;
  const kept = [request.current, request.previous].flatMap((each) => (each === undefined ? [] : loginOf(target, each)));
  const change = changeOf(target, login);
  if (await changeAlone(system, { login, kept }, request, (query) => changeOwnPassword(query, change))) return;
  const user = account(login.user, settings.userHost);
  throw refused(
    options.ref,
    `nothing that is kept logs in to change user ${user}`,
    "name an administrator's secret as admin",
  );
}

async function retire(target: Opened, old: Fields, request: RotationRequest): Promise<void> {
  const { options, settings, system } = target;
  const login = loginOf(target, old);
  const current = loginOf(target, request.current);
  const { admin, mode } = settings;
  const ends =
    mode === "dual"
      ? !login.password.equals(current.password)
      : settings.retire === "now" && login.user !== current.user;
  if (admin === undefined || mode === "single" || !ends) return;
  // By then its turn may have come again, with another password: only what `old` itself opens is ended.
  if (!(await askIfTaken(system, login, request))) return;
  const nobodys = new Secret(newPassword(options.random));
  const rest = mode === "dual" ? current : { ...login, password: nobodys };
  // The one that stays is set once more: where the old one is the first of the two, to discard would end the wrong one.
  await askAdmin(target, admin, request, (query) => changePassword(query, changeOf(target, rest), {}));
}

async function askAdmin(
  { options, settings, system }: Opened,
  admin: SecretRef,
  request: RotationRequest,
  run: (query: Query) => Promise<void>,
): Promise<void> {
  await system.ask(await adminLogin(options, admin, settings.places), request, run);
}

/** @throws UserError target-refused, target-unreachable */
async function told(target: Opened, fields: Fields, run: () => Promise<void>): Promise<void> {
  const { options, settings } = target;
  const user = account(loginOf(target, fields).user, settings.userHost);
  try {
    await run();
  } catch (error) {
    throw refusalOf(error, { ref: options.ref, user });
  }
}

function systemOf(options: TargetOptions, { host, port, database, tls }: MysqlSettings): System<Query> {
  return {
    ask(login, { deadline, signal }, run) {
      const place = { host, port, database, tls: tlsOptions(tls, options.readFile) };
      const limits = { timeout: deadline - options.now(), ...(signal !== undefined && { signal }) };
      return withConnection(place, login, limits, run);
    },
    verdictOf: (error) => verdictOf(error, database),
  };
}

function loginOf({ options, settings }: Opened, fields: Fields): UserLogin {
  return userLogin(fields, settings.places, { secret: formatRef(options.ref), users: settings.users, one: "user" });
}

function changeOf({ options, settings }: Opened, { user, password }: UserLogin): Change {
  return { ref: options.ref, user, host: settings.userHost, password: password.expose(), salt: options.random(20) };
}
