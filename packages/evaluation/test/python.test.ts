import fc from "fast-check"
import { assert, describe, it } from "vitest"
import { missingTexts, typeColumn } from "../src/internal/pandasColumn.ts"
import { parseStringList } from "../src/internal/pythonLiteral.ts"
import { floatText, parseFloatLikePandas } from "../src/internal/pythonNumber.ts"
import { codePoints, lower, splitWords, strip } from "../src/internal/pythonText.ts"

describe("python text", () => {
  it("splits and strips at Python's white space", () => {
    assert.deepStrictEqual(splitWords(" a\x1cb\u3000c\x85d\ufeffe\u200bf "), ["a", "b", "c", "d\ufeffe\u200bf"])
    assert.deepStrictEqual(splitWords(" \n\t"), [])
    assert.strictEqual(strip("\x1f\u2003 a b\xa0\n"), "a b")
    assert.strictEqual(strip("\ufeffa"), "\ufeffa")
  })
  it("lowers and counts by code points", () => {
    assert.strictEqual(codePoints(lower("İ")), 2)
    assert.strictEqual(codePoints("😀a"), 2)
    assert.strictEqual(lower("ΑΣ"), "ας")
  })
})

describe("long cells", () => {
  const seconds = (work: () => unknown): number => {
    const begun = performance.now()
    work()
    return (performance.now() - begun) / 1000
  }

  it("take time by their length, and not by its square", () => {
    const length = 1_000_000
    const space = `${" ".repeat(length)}x${" ".repeat(length)}x`
    // The square of a million characters takes half an hour.
    for (const cell of [space, `${"9".repeat(length)}x`, `-${"9".repeat(length)}`, `1${" ".repeat(length)}`]) {
      assert.isBelow(
        seconds(() => typeColumn([cell])),
        2,
        cell.slice(0, 3)
      )
    }
    assert.isBelow(
      seconds(() => strip(`a${space}`)),
      2
    )
  })

  it("of digits stay text where 64 bits do not hold them, and numbers where they do", () => {
    const [large, padded] = ["9".repeat(30), `${"0".repeat(40)}7`]
    assert.deepStrictEqual(typeColumn([large, "1"]), { kind: "text", cells: [large, "1"] })
    assert.deepStrictEqual(typeColumn([`-${large}`]), { kind: "text", cells: [`-${large}`] })
    assert.deepStrictEqual(typeColumn([` ${padded} `, "+18446744073709551615"]).cells, ["7", "18446744073709551615"])
    assert.deepStrictEqual(typeColumn(["18446744073709551616"]).kind, "text")
    assert.deepStrictEqual(typeColumn([" 2.5\v", "-inf "]).cells, ["2.5", "-inf"])
  })
})

describe("floatText is repr(float)", () => {
  const cases: readonly (readonly [number, string])[] = [
    [1, "1.0"],
    [0.1, "0.1"],
    [-2.5, "-2.5"],
    [-0, "-0.0"],
    [1e15, "1000000000000000.0"],
    [1e16, "1e+16"],
    [123456789012345680, "1.2345678901234568e+17"],
    [0.0001, "0.0001"],
    [0.00001, "1e-05"],
    [1.5e-7, "1.5e-07"],
    [1e22, "1e+22"],
    [5e-324, "5e-324"],
    [120, "120.0"],
    [Number.POSITIVE_INFINITY, "inf"],
    [Number.NaN, "nan"]
  ]
  for (const [value, text] of cases) it(`${value} prints ${text}`, () => assert.strictEqual(floatText(value), text))

  it("reads back as the same number", () => {
    fc.assert(
      fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (value) => {
        assert.ok(Object.is(Number(floatText(value)), value))
      }),
      { seed: 3, numRuns: 2000 }
    )
  })
})

describe("parseFloatLikePandas", () => {
  it("keeps 17 digits, leading zeros counted", () => {
    assert.strictEqual(parseFloatLikePandas("0.30000000000000004"), 0.3)
    assert.strictEqual(parseFloatLikePandas("4.14159265358979323846"), 4.141592653589793)
    assert.strictEqual(parseFloatLikePandas("123456789.123456789"), 123456789.12345678)
  })
  it("takes what pandas takes and nothing else", () => {
    assert.strictEqual(parseFloatLikePandas(" 1.50\n"), 1.5)
    assert.strictEqual(parseFloatLikePandas(".5"), 0.5)
    assert.strictEqual(parseFloatLikePandas("1."), 1)
    assert.strictEqual(parseFloatLikePandas("-Infinity"), Number.NEGATIVE_INFINITY)
    assert.strictEqual(parseFloatLikePandas("1e-400"), 0)
    assert.strictEqual(parseFloatLikePandas("5e-324"), 5e-324)
    for (const text of ["1e", "1e400", "1,000", "0x10", "1_0", "--1", "1d5", "1e5.0", ".", "", "\xa01", "٣"]) {
      assert.strictEqual(parseFloatLikePandas(text), undefined, text)
    }
  })
})

describe("typeColumn", () => {
  // Cells, kind, printed cells; every line is what pandas prints for str(cell) after read_csv.
  const cases: readonly (readonly [readonly string[], string, readonly (string | undefined)[]])[] = [
    [["1", "2"], "integer", ["1", "2"]],
    [["1", ""], "float", ["1.0", undefined]],
    [["1.0", "2"], "float", ["1.0", "2.0"]],
    [["007", "1"], "integer", ["7", "1"]],
    [[" 1", "2 "], "integer", ["1", "2"]],
    [["1\n", "2"], "integer", ["1", "2"]],
    [["+1", "-0"], "integer", ["1", "0"]],
    [["1e3", "2"], "float", ["1000.0", "2.0"]],
    [["inf", "1"], "float", ["inf", "1.0"]],
    [["True", "false"], "boolean", ["True", "False"]],
    [["true", "true"], "boolean", ["True", "True"]],
    [["TRUE", ""], "boolean", ["True", undefined]],
    [["-0", ""], "float", ["0.0", undefined]],
    [["123456789012345678", ""], "float", ["1.2345678901234568e+17", undefined]],
    [["99999999999999999999", "1.5"], "text", ["99999999999999999999", "1.5"]],
    [["1.5", "99999999999999999999"], "float", ["1.5", "1.0000000000000002e+20"]],
    [["-99999999999999999999", "1.5"], "float", ["-1.0000000000000002e+20", "1.5"]],
    [["-99999999999999999999", "1"], "text", ["-99999999999999999999", "1"]],
    [["TRUE", "yes"], "text", ["TRUE", "yes"]],
    [["1", "True"], "text", ["1", "True"]],
    [["9223372036854775807", "1"], "integer", ["9223372036854775807", "1"]],
    [["9223372036854775808", "1"], "integer", ["9223372036854775808", "1"]],
    [["18446744073709551616", "1"], "text", ["18446744073709551616", "1"]],
    [["9223372036854775808", "-1"], "text", ["9223372036854775808", "-1"]],
    [["1e400", "1"], "text", ["1e400", "1"]],
    [["NA", "1"], "float", [undefined, "1.0"]],
    [["", ""], "float", [undefined, undefined]],
    [["1", "A"], "text", ["1", "A"]],
    [["None", "N/A", "none", "na"], "text", [undefined, undefined, "none", "na"]]
  ]
  for (const [cells, kind, printed] of cases) {
    it(`${JSON.stringify(cells)} is ${kind}`, () => assert.deepStrictEqual(typeColumn(cells), { kind, cells: printed }))
  }
  it("knows pandas' nineteen missing texts", () => assert.strictEqual(missingTexts.size, 19))
})

describe("parseStringList", () => {
  it("reads both quotes, escapes and white space", () => {
    assert.deepStrictEqual(parseStringList(`['a', "b's", 'c\\'d',]`), ["a", "b's", "c'd"])
    assert.deepStrictEqual(parseStringList(" [ 'a'\n,\t'b' ] "), ["a", "b"])
    assert.deepStrictEqual(parseStringList("[]"), [])
    assert.deepStrictEqual(parseStringList("['a' 'b']"), ["ab"])
  })
  it("keeps LaTeX as Python does: escaped, known and unknown escapes", () => {
    assert.deepStrictEqual(parseStringList(String.raw`['\\frac{1}{2}', '\sum', '\frac', '\t']`), [
      "\\frac{1}{2}",
      "\\sum",
      "\frac",
      "\t"
    ])
    assert.deepStrictEqual(parseStringList(String.raw`['\x41\u00e9\U0001F600\101\0']`), ["Aé😀A\0"])
  })
  it("refuses everything else with the position", () => {
    for (const text of [
      "",
      "a",
      "'a'",
      "[1]",
      "['a'",
      "['a",
      "['a' b]",
      "['a']x",
      "[a]",
      "['\\x4']",
      "{'a'}",
      "['a',,]",
      "[__import__('os')]"
    ]) {
      assert.throws(() => parseStringList(text), SyntaxError, /at character \d+/, text)
    }
  })
  it("reads back what repr() writes", () => {
    const repr = (text: string) =>
      `'${text.replaceAll("\\", "\\\\").replaceAll("'", "\\'").replaceAll("\n", "\\n").replaceAll("\r", "\\r")}'`
    fc.assert(
      fc.property(fc.array(fc.string({ unit: "binary", maxLength: 12 }), { maxLength: 4 }), (texts) => {
        assert.deepStrictEqual(parseStringList(`[${texts.map(repr).join(", ")}]`), texts)
      }),
      { seed: 4, numRuns: 300 }
    )
  })
})
