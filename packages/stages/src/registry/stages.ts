/** Every stage by the name that recipes in JSON use. A new one is one file and one line here. */
import { AdaRoundLanguage } from "../adaroundLanguage/AdaRoundLanguage.ts"
import { AdaRoundVit } from "../adaroundVit/AdaRoundVit.ts"
import { AllocateBits } from "../allocateBits/AllocateBits.ts"
import { Autoclip } from "../autoclip/Autoclip.ts"
import { Awq } from "../awq/Awq.ts"
import { Blockwise } from "../blockwise/Blockwise.ts"
import { BlockwiseVit } from "../blockwise/BlockwiseVit.ts"
import { Evaluate } from "../evaluate/Evaluate.ts"
import { Export } from "../export/Export.ts"
import { Gptq } from "../gptq/Gptq.ts"
import { ImportVit } from "../importVit/ImportVit.ts"
import { JointQat } from "../jointQat/JointQat.ts"
import { Qat } from "../qat/Qat.ts"
import { RoundLanguage } from "../roundLanguage/RoundLanguage.ts"
import { TrainProjector } from "../trainProjector/TrainProjector.ts"

export const stages = [
  AllocateBits,
  AdaRoundVit,
  BlockwiseVit,
  ImportVit,
  TrainProjector,
  Autoclip,
  RoundLanguage,
  AdaRoundLanguage,
  Blockwise,
  Gptq,
  Awq,
  Qat,
  JointQat,
  Export,
  Evaluate
] as const
