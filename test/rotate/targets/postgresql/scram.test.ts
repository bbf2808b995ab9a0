import { expect, test } from "vitest";
import { scramVerifier } from "../../../../src/rotate/targets/postgresql/scram.ts";

const salt = Buffer.from("W22ZaJ0SNY7soEsUEjb6gQ==", "base64");

test("the verifier of the example in RFC 7677", () => {
  expect(scramVerifier("pencil", salt, 4096)).toBe(
    "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=",
  );
});

test.for([
  // RFC 4013 §3, and a space that is not ASCII's.
  ["I\u00ADX", "IX"],
  ["\u00AA", "a"],
  ["\u2168", "IX"],
  ["a\u3000b", "a b"],
])("SASLprep: %j is %j", ([written, prepared]) => {
  expect(scramVerifier(written!, salt, 4096)).toBe(scramVerifier(prepared!, salt, 4096));
});
