import fc from "fast-check";

/** A string with the way in which it is spelled in the file. */
export interface Spelled {
  readonly value: string;
  readonly raw: string;
}

export interface ServerModel {
  readonly name: Spelled;
  readonly args: readonly Spelled[] | undefined;
  readonly env: readonly (readonly [Spelled, Spelled])[] | undefined;
}

export interface DocumentModel {
  readonly text: string;
  readonly servers: readonly ServerModel[];
}

/** One character, in one of the ways in which JSON can spell it. */
const character: fc.Arbitrary<Spelled> = fc
  .tuple(fc.constantFrom(...Array.from("aZ0 /\"\\\n\t\u0000é→\u2028😀'{}[],:#$%")), fc.nat(2))
  .map(([value, style]) => ({ value, raw: spell(value, style) }));

export const spelled: fc.Arbitrary<Spelled> = fc.array(character, { maxLength: 8 }).map(join);

/** Names that differ, so that no key is a duplicate. */
const server = fc.record({
  name: spelled,
  args: fc.option(fc.array(spelled, { maxLength: 4 }), { nil: undefined }),
  env: fc.option(fc.uniqueArray(fc.tuple(spelled, spelled), { maxLength: 4, selector: ([name]) => name.value }), {
    nil: undefined,
  }),
});

/** Configs with comments, tabs, every line end, marks and commas where JSONC allows them. */
export const documents: fc.Arbitrary<DocumentModel> = fc
  .record({
    servers: fc.uniqueArray(server, { minLength: 1, maxLength: 3, selector: ({ name }) => name.value }),
    mark: fc.boolean(),
    trivia: fc.infiniteStream(
      fc.constantFrom("", "", " ", "\n", "\r\n  ", "\t", "\n\n\t\t", "/* , { */", ' // "}\n', "\r"),
    ),
    trailing: fc.infiniteStream(fc.boolean()),
  })
  .map(({ servers, mark, trivia, trailing }) => {
    const gap = () => trivia.next().value ?? "";
    const list = (open: string, parts: readonly string[], close: string) => {
      const comma = parts.length > 0 && trailing.next().value === true ? `,${gap()}` : "";
      return `${open}${gap()}${parts.join(`${gap()},${gap()}`)}${gap()}${comma}${close}`;
    };
    const member = (name: string, value: string) => `"${name}"${gap()}:${gap()}${value}`;
    const texts = servers.map(({ name, args, env }) => {
      const members = [member("command", `"x"`)];
      if (args !== undefined) members.push(member("args", list("[", args.map(quote), "]")));
      if (env !== undefined) {
        const pairs = env.map(([key, value]) => member(key.raw, quote(value)));
        members.push(member("env", list("{", pairs, "}")));
      }
      return member(name.raw, list("{", members, "}"));
    });
    const root = [member("n", "12345678901234567890.10e+400"), member("mcpServers", list("{", texts, "}"))];
    return { servers, text: `${mark ? "\uFEFF" : ""}${gap()}${list("{", root, "}")}${gap()}` };
  });

function quote({ raw }: Spelled): string {
  return `"${raw}"`;
}

export function join(parts: readonly Spelled[]): Spelled {
  return { value: parts.map(({ value }) => value).join(""), raw: parts.map(({ raw }) => raw).join("") };
}

function spell(value: string, style: number): string {
  if (style === 0) return JSON.stringify(value).slice(1, -1);
  if (style === 1 && value === "/") return "\\/";
  return [...value].flatMap((char) => Array.from({ length: char.length }, (_, at) => unicode(char, at))).join("");
}

function unicode(text: string, at: number): string {
  return `\\u${text.charCodeAt(at).toString(16).padStart(4, "0")}`;
}
