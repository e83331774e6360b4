/** UTF-8 of the public Autobahn suite, 6.5 to 6.23, in hexadecimal: what is text, and what only looks like it. @module */

/** One payload of a text message. */
export interface Utf8Case {
  readonly id: string;
  readonly payload: Uint8Array;
  readonly isText: boolean;
}

const TEXT = "cebae1bdb9cf83cebcceb5";
/** Bytes of {@linkcode TEXT} after which a character ends. */
const ENDS = [2, 5, 7, 9, 11];
/** First bytes of sequences with the rest but the last byte: of the smallest and the largest character of each length. */
const INCOMPLETE = [
  ...["c0", "e080", "f08080", "f8808080", "fc80808080"],
  ...["df", "efbf", "f7bfbf", "fbbfbfbf", "fdbfbfbfbf"],
];

const hexOf = (...bytes: number[]): string =>
  bytes.map((byte) => byte.toString(16).padStart(2, "0")).join("");
const range = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, i) => from + i);
/** All first bytes of one length but the last one, each before a blank. */
const lonely = (from: number, to: number): string =>
  range(from, to).map((byte) => hexOf(byte, 0x20)).join("");

/** The last two code points of each plane but the first, which are no characters and may be sent. */
const NO_CHARACTERS = [0xf0, 0xf1, 0xf2, 0xf3, 0xf4].flatMap((first) =>
  [0x8f, 0x9f, 0xaf, 0xbf].filter((second) =>
    first === 0xf4 ? second === 0x8f : first > 0xf0 || second > 0x8f
  )
    .flatMap((second) => [hexOf(first, second, 0xbf, 0xbe), hexOf(first, second, 0xbf, 0xbf)])
);

/** By number of the group: sequences that are text; those with a dash before them are none. */
const GROUPS: readonly (readonly string[])[] = [
  [
    "68656c6c6f24776f726c64",
    "68656c6c6fc2a2776f726c64",
    "68656c6c6fe282ac776f726c64",
    "68656c6c6ff0a4ada2776f726c64",
    TEXT,
  ],
  range(1, 12).map((length) => (ENDS.includes(length) ? "" : "-") + TEXT.slice(0, 2 * length)),
  ["00", "c280", "e0a080", "f0908080"],
  ["-f888808080", "-fc8480808080"],
  ["7f", "dfbf", "efbfbf", "f48fbfbf"],
  ["-f7bfbfbf", "-fbbfbfbfbf", "-fdbfbfbfbfbf"],
  ["ed9fbf", "ee8080", "efbfbd", "f48fbfbf", "-f4908080"],
  [
    "-80",
    "-bf",
    "-80bf",
    "-80bf80",
    "-80bf80bf",
    "-80bf80bf80",
    "-80bf80bf80bf",
    `-${hexOf(...range(0x80, 0xbf))}`,
  ],
  [[0xc0, 0xdf], [0xe0, 0xef], [0xf0, 0xf7], [0xf8, 0xfb], [0xfc, 0xfd]].map(([from, to]) =>
    `-${lonely(from, to)}`
  ),
  INCOMPLETE.map((bytes) => `-${bytes}`),
  [`-${INCOMPLETE.join("")}`],
  ["-fe", "-ff", "-fefeffff"],
  ["-c0af", "-e080af", "-f08080af", "-f8808080af", "-fc80808080af"],
  ["-c1bf", "-e09fbf", "-f08fbfbf", "-f887bfbfbf", "-fc83bfbfbfbf"],
  ["-c080", "-e08080", "-f0808080", "-f880808080", "-fc8080808080"],
  ["-eda080", "-edadbf", "-edae80", "-edafbf", "-edb080", "-edbe80", "-edbfbf"],
  ["eda080", "edadbf", "edae80", "edafbf"].flatMap((high) => [`-${high}edb080`, `-${high}edbfbf`]),
  ["efbfbe", "efbfbf", ...NO_CHARACTERS],
  ["efbfb9", "efbfba", "efbfbb", "efbfbc", "efbfbd", "efbfbe", "efbfbf"],
];

/** All of them. */
export const UTF8_CASES: readonly Utf8Case[] = GROUPS.flatMap((group, g) =>
  group.map((each, k) => ({
    id: `6.${g + 5}.${k + 1}`,
    payload: Uint8Array.fromHex(each.replace("-", "")),
    isText: !each.startsWith("-"),
  }))
);
