/** Which stages of recipes come to the same: same kind, same options, same inputs. */
import { createHash } from "node:crypto"
import { canonicalJson } from "../json/canonicalJson.ts"
import type { AnyRecipe } from "../recipe/recipeValue.ts"

/** An id for every stage of a recipe; two recipes with the same seed and an id in common compute that stage once. */
export const distinctStages = ({ stages }: AnyRecipe): readonly string[] => {
  const sources = new Map<string, string>()
  return stages.map(({ name, keyConfig, needs, uses, gives }) => {
    const inputs = [...needs, ...uses].flatMap((artefact) => sources.get(artefact.name) ?? [])
    const id = createHash("sha256")
      .update(canonicalJson([name, keyConfig, inputs]))
      .digest("hex")
    for (const artefact of gives) sources.set(artefact.name, id)
    return id
  })
}
