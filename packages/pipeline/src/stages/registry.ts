/** Every stage by the name that recipes in JSON use. A new one is one file and one line here. */
import { AdaRoundVit } from "./adaroundVit/stage.ts"
import { Autoclip } from "./autoclip/stage.ts"
import { Evaluate } from "./evaluate/stage.ts"
import { Export } from "./export/stage.ts"
import { JointQat } from "./qat/jointStage.ts"
import { Qat } from "./qat/stage.ts"
import { TrainProjector } from "./trainProjector.ts"

export const stages = [AdaRoundVit, TrainProjector, Autoclip, Qat, JointQat, Export, Evaluate] as const
