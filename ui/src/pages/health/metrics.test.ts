import { expect, it } from "vitest";
import { quantile, samples, total } from "./metrics";

const TEXT = `# HELP a
weft_x{kind="a \\"b\\"",z="1"} 3
weft_x{kind="c"} 4
plain 1.5e3
t_bucket{le="0.1"} 8
t_bucket{le="1"} 9
t_bucket{le="+Inf"} 10
`;

it("reads names, labels and numbers", () => {
  expect(samples(TEXT)[0]).toEqual({ name: "weft_x", labels: { kind: 'a "b"', z: "1" }, value: 3 });
  expect(total(samples(TEXT), "weft_x")).toBe(7);
  expect(total(samples(TEXT), "weft_x", (labels) => labels.kind === "c")).toBe(4);
  expect(total(samples(TEXT), "none")).toBeUndefined();
  expect(total(samples(TEXT), "plain")).toBe(1500);
});

it("finds the bucket that holds a share", () => {
  expect(quantile(samples(TEXT), "t", 0.5)).toBe(0.1);
  expect(quantile(samples(TEXT), "t", 0.9)).toBe(1);
  expect(quantile(samples(TEXT), "t", 0.99)).toBe(Number.POSITIVE_INFINITY);
  expect(quantile([], "t", 0.5)).toBeUndefined();
});
