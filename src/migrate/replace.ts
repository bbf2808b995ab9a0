import type { Edit, TextAt } from "../clients/document.ts";
import { extendsRef, fieldOf, formatRef, type FoundRef, refsOrNone, type SecretRef } from "../core/ref.ts";
import type { Finding } from "../detect/finding.ts";
import { encodedPlaces } from "../launch/substitute.ts";
import type { Move } from "./argv.ts";
import type { Origin, Places } from "./places.ts";
import type { PlannedFinding } from "./plan.ts";
import { meaningIn, type Spelling, spellingOf } from "./spelling.ts";

/** A string of an entry with references in place of its secrets. */
export interface Rewritten {
  readonly place: TextAt;
  readonly after: string;
  readonly edits: readonly Edit[];
  readonly findings: readonly PlannedFinding[];
  /** The references as they are spelled in `after`. */
  readonly references: readonly string[];
}

export interface Replacing {
  readonly origin: Origin;
  readonly places: Places;
  /** Where the secret leaves the string around it: how it is read then. */
  readonly alone?: Move["alone"] | undefined;
}

/** Puts the references of `found` into the string at `place`, so that a launch gives the string back as it is. */
export function replaceIn(place: TextAt, found: readonly Finding[], replacing: Replacing): Rewritten {
  const here = found.filter((finding) => finding.pointer === place.pointer).toSorted((a, b) => a.start - b.start);
  // One that takes the whole string leaves nothing for the others.
  const whole = here.find((finding) => takesAll(finding, place.text));
  if (whole === undefined) {
    const encoded = encodedIn(place.text, here);
    return assemble(
      place,
      here.map((finding) => settle(finding, place.text, encoded.has(finding), replacing)),
    );
  }
  const ref = replacing.places.refFor(place.text, replacing.origin, whole.name);
  const all = { finding: whole, ref, text: formatRef(ref), start: 0, end: place.text.length };
  const findings = here.map((finding) => ({ finding, reference: ref, argvVisible: false }));
  return { ...assemble(place, [all]), findings };
}

/** Also where the text behind the finding would run into the reference. */
function takesAll({ start, end }: Finding, text: string): boolean {
  return (start === 0 && end === text.length) || extendsRef(WITH_FIELD, text.slice(end, end + 1));
}

/** Stands for any reference whose field is written out. */
const WITH_FIELD: SecretRef = { store: "any", path: "any", field: "any" };

/** Those that a launch would percent-encode. References that stand there already are one unit each for it. */
function encodedIn(text: string, found: readonly Finding[]): ReadonlySet<Finding> {
  const spans: readonly (Finding | FoundRef)[] = [...found, ...(refsOrNone(text) ?? [])].toSorted(
    (a, b) => a.start - b.start,
  );
  const encoded = encodedPlaces(text, spans);
  return new Set(found.filter((finding) => encoded[spans.indexOf(finding)] === true));
}

interface Settled {
  readonly finding: Finding;
  readonly ref: SecretRef;
  readonly start: number;
  readonly end: number;
  /** The reference as it is spelled at its place. */
  readonly text: string;
}

function settle(finding: Finding, text: string, encoded: boolean, { origin, places, alone }: Replacing): Settled {
  const { start, end, name } = finding;
  const { value, raw } = spelled(text.slice(start, end), encoded, alone);
  const ref = places.refFor(value, origin, name);
  const field = raw || extendsRef(ref, text.slice(end, end + 1)) ? { field: fieldOf(ref) } : {};
  return { finding, ref, start, end, text: formatRef({ ...ref, ...field, ...(raw && { raw }) }) };
}

function spelled(text: string, encoded: boolean, alone: Replacing["alone"]): Spelling {
  if (alone === undefined) return spellingOf(text, encoded);
  return { value: alone === "decoded" ? (meaningIn(text) ?? text) : text, raw: false };
}

function assemble(place: TextAt, settled: readonly Settled[]): Rewritten {
  let after = "";
  let done = 0;
  for (const { start, end, text } of settled) {
    after += place.text.slice(done, start) + text;
    done = end;
  }
  return {
    place,
    after: after + place.text.slice(done),
    edits: settled.map(({ start, end, text }) => ({ type: "replace", pointer: place.pointer, start, end, text })),
    findings: settled.map(({ finding, ref }) => ({ finding, reference: ref, argvVisible: false })),
    references: settled.map(({ text }) => text),
  };
}
