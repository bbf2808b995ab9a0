import type { Fields } from "../../core/provider.ts";
import type { SecretRef } from "../../core/ref.ts";
import { Secret } from "../../core/secret.ts";
import { UserError } from "../../errors.ts";
import type { RotationRequest, SetTarget, TargetOptions, Verdict } from "../target.ts";
import { refused } from "./failure.ts";
import { type UserLogin, adminLogin, endingExposed, isSame, withLogin } from "./login.ts";
import { newPassword } from "./password.ts";
import { type Change, changePassword } from "./postgresql/change.ts";
import { type Query, driver } from "./postgresql/connection.ts";
import { refusalOf } from "./postgresql/failure.ts";
import { missingRights } from "./postgresql/rights.ts";
import { type Opened, quoted, roleOf, systemOf } from "./postgresql/roles.ts";
import { parsePostgresql } from "./postgresql/settings.ts";
import { askIfTaken, changeAlone } from "./system.ts";

/**
 * A login role of a PostgreSQL server. A role has one password, so two roles take turns (class O): the new password goes
 * to the one whose turn it is, the other stays valid. One role alone is of class X.
 *
 * The role that is missing at the first turn is made as a member of the other, and acts as it from its login on
 * (`SET role`): what either makes has the same owner, default privileges apply to both, and what is granted later is
 * granted to both. AWS's rotation grants the membership alone, upon which each owns what it made, and the other may not
 * change it.
 *
 * @throws UserError config-invalid
 */
export function open(options: TargetOptions): SetTarget {
  const settings = endingExposed(parsePostgresql(options.ref, options.settings), options);
  const target: Opened = { options, settings, system: systemOf(options, settings) };
  return {
    kind: "set",
    class: isPair(target) ? "O" : "X",
    ...(isPair(target) && settings.retire === "next" && { keepsOld: true }),
    propose: ({ current }) => propose(target, current),
    test: (fields, request) => test(target, fields, request),
    set: (fields, request) => told(target, fields, () => set(target, fields, request)),
    retire: (old, request) => told(target, old, () => retire(target, old, request)),
  };
}

export const ready = driver;

function propose(target: Opened, current: Fields): Fields {
  const { options, settings } = target;
  const { user } = roleOf(target, current);
  const next = settings.roles.find((role) => role !== user) ?? user;
  return withLogin(current, settings.places, { user: next, password: new Secret(newPassword(options.random)) });
}

async function test(target: Opened, fields: Fields, request: RotationRequest): Promise<Verdict> {
  const current = roleOf(target, request.current);
  try {
    const missing = await target.system.ask(roleOf(target, fields), request, (query) =>
      missingRights(query, current.user),
    );
    return missing.length === 0 ? { type: "valid" } : { type: "lacking", missing };
  } catch (error) {
    if (error instanceof UserError) throw error;
    return target.system.verdictOf(error);
  }
}

async function set(target: Opened, fields: Fields, request: RotationRequest): Promise<void> {
  const { settings, system } = target;
  const login = roleOf(target, fields);
  const current = roleOf(target, request.current);
  if (settings.admin === undefined) return setAlone(target, login, request);
  // To be put back, and still there: better not touched.
  if (isSame(login, current) && (await askIfTaken(system, login, request))) return;
  const change = { ...changeOf(target, login), ...(current.user !== login.user && { model: current.user }) };
  await askAdmin(target, settings.admin, request, (query) => changePassword(query, change));
}

async function setAlone(target: Opened, login: UserLogin, request: RotationRequest): Promise<void> {
  const { options, system } = target;
  const kept = [request.current, request.previous].flatMap((each) => (each === undefined ? [] : roleOf(target, each)));
  const change = async (query: Query) => {
    // A session may act as another role from its login on, and that one has no say over this one's password.
    await query("SET ROLE NONE");
    await changePassword(query, changeOf(target, login));
  };
  if (await changeAlone(system, { login, kept }, request, change)) return;
  const what = `nothing that is kept logs in to postgresql to change role ${quoted(login.user)}`;
  throw refused(options.ref, what, "name the reference of an administrator's secret as admin in config.jsonc");
}

async function retire(target: Opened, old: Fields, request: RotationRequest): Promise<void> {
  const { settings, system } = target;
  const login = roleOf(target, old);
  const { user } = roleOf(target, request.current);
  if (settings.admin === undefined || settings.retire === "next" || user === login.user) return;
  // By then its turn may have come again, with another password: only what `old` itself opens is ended.
  if (!(await askIfTaken(system, login, request))) return;
  await askAdmin(target, settings.admin, request, async (query) => {
    await query(`ALTER ROLE ${quoted(login.user)} PASSWORD NULL`);
  });
}

async function askAdmin(
  { options, settings, system }: Opened,
  admin: SecretRef,
  request: RotationRequest,
  run: (query: Query) => Promise<void>,
): Promise<void> {
  await system.ask(await adminLogin(options, admin, settings.places), request, run);
}

/** @throws UserError target-refused, target-unreachable, or what the store of the administrator's secret throws */
async function told(target: Opened, fields: Fields, run: () => Promise<void>): Promise<void> {
  const role = quoted(roleOf(target, fields).user);
  try {
    await run();
  } catch (error) {
    throw refusalOf(error, { ref: target.options.ref, role });
  }
}

function changeOf({ options }: Opened, login: UserLogin): Change {
  return { ref: options.ref, login, salt: options.random(16) };
}

function isPair({ settings }: Opened): boolean {
  return settings.roles.length === 2;
}
