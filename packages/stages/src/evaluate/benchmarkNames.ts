/** The names of the benchmarks as types know them; a test compares them with the registry. */
export const benchmarkNames = [
  "HallusionBench",
  "AI2D_TEST",
  "OCRBench",
  "MMBench_DEV_EN_V11",
  "MMBench_DEV_CN_V11",
  "MMStar",
  "MMMU_DEV_VAL",
  "ScienceQA_VAL",
  "SEEDBench_IMG",
  "nano"
] as const
