import { expect, test } from "vitest";
import type { LaunchScope, Lease, Remains, ResolvedSecret } from "../../src/core/provider.ts";
import { Secret } from "../../src/core/secret.ts";
import { UserError } from "../../src/errors.ts";
import { tend, type TendingOptions } from "../../src/launch/leases.ts";

/** A clock that jumps from one timer to the next, and what it was asked to do. */
function clock() {
  let now = 0;
  const timers: { at: number; act: () => void }[] = [];
  return {
    now: () => now,
    after: (milliseconds: number, act: () => void) => void timers.push({ at: now + milliseconds, act }),
    async runUntil(end: number) {
      for (;;) {
        timers.sort((a, b) => a.at - b.at);
        const [next] = timers;
        if (next === undefined || next.at > end) break;
        timers.shift();
        now = next.at;
        next.act();
        await new Promise((resolve) => setImmediate(resolve));
      }
      now = end;
    },
  };
}

const ref = { store: "team", path: "db/x" };

/** An issuer of leases of `life`, no longer than `most` after its start, that is down as `down` says. */
function issuer(
  time: ReturnType<typeof clock>,
  { life = 60_000, most = Infinity, renewable = true, down = () => false as boolean },
) {
  const requests: string[] = [];
  const ended: string[][] = [];
  let made = 0;
  const lease = (): Lease => ({
    id: `lease-${(made += 1)}`,
    ref,
    expiresAt: time.now() + life,
    duration: life,
    renewable,
  });
  const secretOf = (of: Lease): ResolvedSecret => ({ ref, value: new Secret("v"), lease: of });
  const scope: LaunchScope = {
    credential: undefined,
    resolve: async () => {
      requests.push(`fetch at ${time.now()}`);
      return [secretOf(lease())];
    },
    renew: async (old) => {
      requests.push(`renew ${old.id} at ${time.now()}`);
      if (down()) throw new UserError("store-unavailable", "down");
      return { ...old, expiresAt: Math.min(most, time.now() + life) };
    },
    extend: async () => undefined,
    end: async (leases): Promise<Remains> => {
      ended.push(leases.map(({ id }) => id));
      return { leases: [], credentials: [] };
    },
  };
  return { requests, ended, scopes: [{ store: "team", scope, secrets: [secretOf(lease())] }] };
}

function optionsOf(time: ReturnType<typeof clock>, endings: string[]): TendingOptions {
  return {
    now: time.now,
    after: time.after,
    chance: () => 0,
    ending: (what, at) => void endings.push(`${what} at ${at}`),
  };
}

test("a lease is renewed at 70 % of what remains for as long as the server lives, and given back once", async () => {
  const [time, endings] = [clock(), [] as string[]];
  const store = issuer(time, {});
  const tending = tend(store.scopes, optionsOf(time, endings));
  await time.runUntil(130_000);
  expect(store.requests).toEqual(["renew lease-1 at 42000", "renew lease-1 at 84000", "renew lease-1 at 126000"]);
  const [first, second] = [tending.end(), tending.end()];
  expect(await first).toEqual({ team: { leases: [], credentials: [] } });
  expect(second).toBe(first);
  await time.runUntil(1_000_000);
  expect([store.requests.length, store.ended, endings]).toEqual([3, [["lease-1"]], []]);
});

test("an outage is sat out with a second between requests at least, and renewal goes on after it", async () => {
  const [time, endings] = [clock(), [] as string[]];
  const store = issuer(time, { life: 6_000, down: () => time.now() > 4_000 && time.now() < 5_500 });
  const tending = tend(store.scopes, optionsOf(time, endings));
  await time.runUntil(20_000);
  const times = store.requests.map((text) => Number(text.split(" ").at(-1)));
  const gaps = times.slice(1).map((at, index) => at - (times[index] ?? 0));
  expect(Math.min(...gaps)).toBeGreaterThanOrEqual(1_000);
  expect(endings).toEqual([]);
  expect(times.length).toBeGreaterThan(4);
  await tending.end();
});

test("an outage longer than the lease ends it: the user is told once, and nobody is asked any more", async () => {
  const [time, endings] = [clock(), [] as string[]];
  const store = issuer(time, { life: 60_000, down: () => true });
  tend(store.scopes, optionsOf(time, endings));
  await time.runUntil(10_000_000);
  expect(endings).toEqual([expect.stringMatching(/^mcp-secret:\/\/team\/db\/x at 60000$/)]);
  expect(store.requests.length).toBeLessThan(20);
});

test("near its maximum a lease is announced, and another is held ready and given back with it", async () => {
  const [time, endings] = [clock(), [] as string[]];
  const store = issuer(time, { life: 60_000, most: 90_000 });
  const tending = tend(store.scopes, optionsOf(time, endings));
  await time.runUntil(45_000);
  expect(store.requests).toEqual(["renew lease-1 at 42000", "fetch at 42000"]);
  expect(endings).toEqual(["mcp-secret://team/db/x at 90000"]);
  expect(tending.ready.get("team/db/x")?.[0]?.lease?.id).toBe("lease-2");
  await tending.end();
  expect(store.ended).toEqual([["lease-1", "lease-2"]]);
});

test("one that cannot be renewed is fetched again before its end", async () => {
  const [time, endings] = [clock(), [] as string[]];
  const store = issuer(time, { life: 100_000, renewable: false });
  tend(store.scopes, optionsOf(time, endings));
  await time.runUntil(90_000);
  expect(store.requests).toEqual(["fetch at 85000"]);
  expect(endings).toEqual(["mcp-secret://team/db/x at 100000"]);
});

test("a life of 32 days does not overflow the timer", async () => {
  const [time, endings] = [clock(), [] as string[]];
  const life = 40 * 86_400_000;
  const store = issuer(time, { life });
  tend(store.scopes, optionsOf(time, endings));
  await time.runUntil(life * 0.75);
  expect(store.requests).toEqual([`renew lease-1 at ${life * 0.7}`]);
});
