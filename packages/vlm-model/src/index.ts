/** InternVL3: tokenizer, images, videos and conversations. */

// Conversations
export { type AnnotationFile, openAnnotations } from "./conversation/AnnotationFile.ts"
export { type ConversationRecord, readRecord, type Shown, shownBy } from "./conversation/ConversationRecord.ts"
export {
  defaultSystemMessage,
  messageHeader,
  type Role,
  renderMessage,
  systemMessageOf
} from "./conversation/chatTemplate.ts"
export { type CollateOptions, collate, type TrainingBatch } from "./conversation/collate.ts"
export { carefulData, DataQuirks, referenceData } from "./conversation/DataQuirks.ts"
export { type Dataset, readDatasetMeta } from "./conversation/DatasetMeta.ts"
export {
  type EncodedConversation,
  type EncodeOptions,
  encodeConversation,
  type Turn
} from "./conversation/encodeConversation.ts"
export { generationPrompt, type PromptInput, withPlaceholders } from "./conversation/generationPrompt.ts"
export { expandPlaceholders, imagePlaceholder, videoPlaceholder } from "./conversation/imagePlaceholders.ts"
export { estimateLength, estimateRecordLength, referenceLengthEstimator } from "./conversation/lengthEstimate.ts"
export { PythonRandom } from "./conversation/pythonRandom.ts"
export { recordPath } from "./conversation/recordPath.ts"
export { type Picture, recordPictures } from "./conversation/recordPictures.ts"
export { hasAnswer, type RecordRules, recordRules } from "./conversation/recordRules.ts"
export { encodeRendered, encodeSequence, type Piece, type Rendered, spellOut } from "./conversation/rendered.ts"
export {
  type RecordOrigin,
  referencePictures,
  referenceVideo,
  type SampleSettings,
  type VideoSettings
} from "./conversation/SampleSettings.ts"
export { selectLines } from "./conversation/selectLines.ts"
export {
  attachTrainingData,
  type DatasetPart,
  type LoadedSample,
  type LocatedRecord,
  loadSample,
  openTrainingData,
  type SampleError,
  type TrainingData,
  type TrainingDataOptions,
  type TrainingIndex
} from "./conversation/TrainingData.ts"
export {
  type SampleOutline,
  sampleOutline,
  type TrainingSample,
  trainingSample
} from "./conversation/trainingSample.ts"
// Errors
export {
  DatasetInvalid,
  FfmpegMissing,
  ImageCodecMissing,
  ImageInvalid,
  ImageTooLarge,
  PromptInvalid,
  type RecordFault,
  SampleRejected,
  SpecialTokenMissing,
  TokenizerInvalid,
  TokenizerMissing,
  VideoInvalid
} from "./Errors.ts"
// Generation
export { type AnswerError, answer, openAnswer, type Question, streamAnswer } from "./generation/answer.ts"
export { answerTogether, type JointQuestion } from "./generation/answerTogether.ts"
export { type Conversation, makeConversation, type NextQuestion } from "./generation/conversation.ts"
export { generateTogether, type JointRequest } from "./generation/generateTogether.ts"
export { type GenerationRequest, generateTokens } from "./generation/generateTokens.ts"
export type { AnsweringModel, Asked, Preparing } from "./generation/prompts.ts"
export { greedy, type NucleusOptions, nucleus, type Sampler } from "./generation/sampling.ts"
// Images and videos
export { checkImage } from "./image/checkImage.ts"
export {
  type DecodeImageError,
  type DecodeImageOptions,
  decodeImage,
  decodePage,
  type ImageHeader,
  type PictureLimits,
  readImageHeader,
  type Truncated
} from "./image/decodeImage.ts"
export { encodeJpeg, encodePng } from "./image/encodeImage.ts"
export { readImageSize } from "./image/imageSize.ts"
export { jpegRoundTrip } from "./image/jpegRoundTrip.ts"
export { loadSharp } from "./image/loadSharp.ts"
export { defaultMaxPixels } from "./image/maxPixels.ts"
export { imagenetStatistics, normalizeTiles, type PixelStatistics } from "./image/normalize.ts"
export { openVideo } from "./image/openVideo.ts"
export { padToSquare } from "./image/padToSquare.ts"
export { overBudget } from "./image/pixelBudget.ts"
export { pngPixels, readPng } from "./image/png.ts"
export { type ImageSettings, imageTileCount, imageTiles, wholeTile } from "./image/preprocess.ts"
export type { RgbImage } from "./image/RgbImage.ts"
export { type ResizeFilter, resize } from "./image/resize.ts"
export { clipFrames, type FrameSampling, sampleFrames } from "./image/sampleFrames.ts"
export {
  joinTiles,
  type TileGrid,
  type Tiles,
  type TilingOptions,
  tileCount,
  tileGrid,
  tileImage
} from "./image/tiling.ts"
export type { OpenVideoOptions, VideoError, VideoSource } from "./image/VideoSource.ts"
export { type Checkpoint, resolveCheckpoint } from "./model/checkpoint.ts"
export { decodeModelConfig, readLayout, readModelConfig } from "./model/configFile.ts"
export { isQuantizerBuffer, type Layout, type Pieces, resolveNames, storedNames } from "./model/huggingfaceNames.ts"
export { readStatistics } from "./model/imageStatistics.ts"
// Network
export { type KeyValueCache, makeKeyValueCache } from "./model/KeyValueCache.ts"
export {
  attentionBranch,
  decoder,
  decoderLayer,
  decoderLayerName,
  decoderNorm,
  embeddingAndHead,
  embeddingLayerOf,
  embedTokens,
  headLayerOf,
  layerNames,
  logitsOfRows,
  mlpBranch,
  type Positions
} from "./model/language.ts"
export { type LoadOptions, loadWeights, weightReader } from "./model/loadWeights.ts"
export {
  decoderFamily,
  headWidth,
  keyValueWidth,
  LanguageConfig,
  ModelConfig,
  patchGrid,
  queryWidth,
  tileSize,
  tokensPerTile,
  VisionConfig
} from "./model/ModelConfig.ts"
export { type ModelDirectory, type OpenModelError, openModelDirectory } from "./model/ModelDirectory.ts"
export {
  HeadNotTied,
  ImageTokenMismatch,
  LogitsNotFinite,
  ModelConfigInvalid,
  PromptTooLong,
  VocabularyMismatch,
  WeightMissing,
  WeightShapeMismatch,
  WeightsMismatch,
  WeightsQuantized
} from "./model/ModelErrors.ts"
export { linearLayers, modelTensors, parameterCount, type Tower, towerOf } from "./model/modelLayout.ts"
export { imageTokenRows, mergeEmbeddings } from "./model/multimodal.ts"
export { type RandomSource, uniformBelow } from "./model/RandomSource.ts"
export { type RandomWeightsOptions, randomTensor, randomWeights } from "./model/randomWeights.ts"
export { resizePositions } from "./model/resizePositions.ts"
export {
  blocksUsed,
  type DropPath,
  projector,
  shuffledFeatures,
  visionBlock,
  visionBlockName,
  visionEmbeddings,
  visionFeatures,
  visionTransformer
} from "./model/vision.ts"
export { linearLayer, type MatrixRows, mapLayers, type Weights, weightsFrom } from "./model/Weights.ts"
export { bytesToTokenText } from "./tokenizer/byteAlphabet.ts"
// Tokenizer
export { type ChatTokens, chatTokens } from "./tokenizer/chatTokens.ts"
export { type LoadTokenizerError, loadTokenizer } from "./tokenizer/loadTokenizer.ts"
export { makeTokenizer } from "./tokenizer/makeTokenizer.ts"
export { pieceEnd } from "./tokenizer/preTokenize.ts"
export * as SpecialTokens from "./tokenizer/SpecialTokens.ts"
export { bytePieces, writeSentencePiece } from "./tokenizer/sentencePiece/writeSentencePiece.ts"
export {
  type AddedToken,
  type DecodeOptions,
  type StreamDecoder,
  startIds,
  type Tokenizer,
  type TokenizerParts
} from "./tokenizer/Tokenizer.ts"
export { tokenizerParts, writeTokenizer } from "./tokenizer/writeTokenizer.ts"
