import { type Facts, type Step, type Tested, giveUp, later, login, logsIn, move, phase, rollBack } from "./step.ts";

/** The phases from a candidate that should be valid to the one that is current. */

/** On a fresh connection, and with the rights that the current one has. */
export const proving = phase({
  entered: (_, facts) => login("candidate", facts),
  resumed: (_, facts) => login("candidate", facts),
  tested: (seen, facts) => {
    if (seen.verdict.type === "unreachable") return later(seen.verdict);
    return seen.value === "current" ? oldAfterMint(seen, facts) : candidateTested(seen, facts);
  },
});

function candidateTested({ verdict }: Tested, facts: Facts): Step {
  if (verdict.type === "valid") return move("tested");
  if (facts.kind === "mint" && facts.class === "X") return mintedOnceFailed(verdict, facts);
  return rollBack(verdict.type === "lacking" ? { type: "lacking", missing: verdict.missing } : { type: "rejected" });
}

/** The old one is gone, or should be. */
function mintedOnceFailed(verdict: Tested["verdict"], facts: Facts): Step {
  if (verdict.type === "rejected" && !facts.reuseRevokes) return login("current", facts);
  const what = verdict.type === "lacking" ? `lacks ${verdict.missing.join(", ")}` : "is not taken by it";
  return makeAnother(`the new value that the issuer made ${what}, and the old one is gone`, facts);
}

function oldAfterMint({ verdict }: Tested, facts: Facts): Step {
  if (logsIn(verdict)) return rollBack({ type: "rejected" });
  return makeAnother("the issuer takes neither the new value nor the old one", facts);
}

function makeAnother(reason: string, facts: Facts): Step {
  return giveUp(reason, facts.whenLost ?? "make a new value at the issuer, and store it with mcp-secrets set");
}

export const tested = phase({
  entered: () => ({ do: "promote" }),
  resumed: () => ({ do: "look" }),
  promoted: ({ version }) => move("promoted", { promoted: version }),
  // By a look after a crash, or because the compare-and-swap of the promotion lost.
  secret: ({ is, version }, facts) => {
    if (is === "base") return { do: "promote" };
    if (is === "candidate") return move("promoted", { promoted: version });
    if (is === "other") return login("found", facts);
    return giveUp(
      "the secret was removed while it was rotated; the new value is in force",
      "store it again with mcp-secrets set, or end what is in the journal",
    );
  },
  // Whoever stored another value meanwhile has won, where it works.
  tested: ({ verdict }) => {
    if (verdict.type === "unreachable") return later(verdict);
    if (!logsIn(verdict)) return { do: "move", to: "tested", adopt: "version" };
    return { do: "move", to: "rollback", adopt: "value", with: { failure: { type: "superseded" } } };
  },
});
