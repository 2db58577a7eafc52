/** The files of a new project: a recipe in code, a folder for data, and what is needed to run and check them. */
import { version } from "../command/version.ts"

const json = (value: unknown): string => `${JSON.stringify(value, null, 2)}\n`

/** A name that npm takes for a package. */
const packageName = (name: string): string =>
  name
    .toLowerCase()
    .replaceAll(/[^a-z0-9._-]+/g, "-")
    .replace(/^[._-]+/, "") || "project"

const manifest = (name: string) => ({
  name: packageName(name),
  version: "0.0.0",
  private: true,
  type: "module",
  scripts: { check: "tsc", plan: "speedq plan recipe.ts", start: "speedq run recipe.ts" },
  dependencies: { speedq: version },
  devDependencies: { typescript: "7.0.2" }
})

const typescript = {
  compilerOptions: {
    target: "ES2022",
    module: "NodeNext",
    strict: true,
    exactOptionalPropertyTypes: true,
    skipLibCheck: true,
    types: [],
    noEmit: true
  },
  include: ["*.ts"]
}

const recipe = (
  name: string
): string => `/** Quantizes a model to 2 bits in the stages of SPEED-Q. It is typed: a misspelt option, or a stage too early, does not compile. */
import { AdaRoundVit, Autoclip, bilevel, Evaluate, Export, Qat, Recipe, rule, shippedFile, TrainProjector } from "speedq"

// The small model and data that come with speedq, so that it runs at once. Your own are paths: "models/InternVL3-1B", "data/train.json".
const nano = (file: string) => shippedFile(\`data/nano/\${file}\`)
const data = { meta: nano("datasets.json") }

// The first rule that matches a layer decides. Each must decide some.
const twoBits = rule("**", bilevel({ bits: 2, group: 16, scaleGroup: 16 }))
const fourBits = rule("**.down_proj", bilevel({ bits: 4, group: 32, scaleGroup: 128 }))

export const recipe = Recipe.make({ name: ${JSON.stringify(name)}, model: nano("model"), seed: 7 }).pipe(
  Recipe.andThen(AdaRoundVit.stage({ images: nano("calibration-images.txt"), iterations: 200, quantizers: [twoBits] })),
  Recipe.andThen(TrainProjector.stage({ data: { ...data, percent: 1 } })),
  Recipe.andThen(Autoclip.stage({ calibration: nano("calibration.jsonl"), quantizers: [fourBits, twoBits] })),
  Recipe.andThen(Qat.stage({ data: { ...data, percent: 10 }, quantizers: [fourBits, twoBits] })),
  Recipe.andThen(
    Evaluate.stage({ title: "2 bits", benchmarks: [{ name: "nano", data: nano("evaluation/short.tsv"), limit: 80 }] })
  ),
  Recipe.andThen(Export.stage({ format: "packed" }))
)
`

const readme = (name: string): string => `# ${name}

A recipe of speedq, which quantizes vision-language models to 2 or 4 bits.

\`\`\`sh
npm install          # or npm install PATH/speedq-*.tgz, with the tarballs of a release
npm run check        # types: a wrong recipe does not compile
npm run plan         # memory, time and size, before any work
npm start            # runs the recipe; interrupted, the same command continues
\`\`\`

\`recipe.ts\` runs as it is, in under a minute, on the small model that comes with speedq. For a model of your own:

1. Put the model's directory, as the hub has it, into \`models/\`, and write its path in \`recipe.ts\`.
2. Put records, pictures and benchmarks into \`data/\`; [data/README.md](data/README.md) says how they look.
3. \`npx speedq data check recipe.ts --preview 8\` names bad lines and shows samples as the model will see them.

Results are in \`runs/\`: open \`report.html\` there. \`npx speedq chat runs/NAME/model/packed --image photo.jpg "What is shown?"\` asks the model.
`

const dataReadme = `# Data

Training takes a meta file, \`train.json\`, which names data sets:

\`\`\`json
{ "mine": { "root": "data/mine/images", "annotation": "data/mine/records.jsonl", "repeat_time": 1 } }
\`\`\`

Each line of \`records.jsonl\` is a conversation; the picture is a file below \`root\`:

\`\`\`json
{ "image": "a.jpg", "conversations": [{ "from": "human", "value": "<image>\\nWhat is shown?" }, { "from": "gpt", "value": "A cat." }] }
\`\`\`

Calibration images are a text file with a path in each line. Benchmarks are the TSV files of VLMEvalKit; \`speedq evaluate\` says where they come from.
`

/** Paths within the project, and what stands there. */
export const projectFiles = (name: string): Readonly<Record<string, string>> => ({
  "recipe.ts": recipe(name),
  "README.md": readme(name),
  "data/README.md": dataReadme,
  "package.json": json(manifest(name)),
  "tsconfig.json": json(typescript),
  ".gitignore": "node_modules/\nruns/\nevaluations/\nmodels/\n"
})
