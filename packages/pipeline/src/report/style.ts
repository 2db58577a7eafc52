/** The page's style: follows the reader's light or dark setting, colours that differ for colour-blind readers too. */

export const style = `
:root{color-scheme:light dark;--ground:#fff;--text:#1b1f24;--soft:#5a636e;--rule:#d5dae0;--card:#f6f8fa;--edge:#0004;--good:#0a6b3d;--bad:#b02a1a;--learned:#c9efd9;
--s0:#0067a8;--s1:#c24e00;--s2:#00805c;--s3:#a63d7c;--s4:#7a6500;--s5:#4b5563}
@media(prefers-color-scheme:dark){:root{--ground:#14181d;--text:#e6e9ed;--soft:#a0a9b4;--rule:#333b45;--card:#1c2229;--edge:#fff4;--good:#5fce97;--bad:#ff8f7d;--learned:#1d4d36;
--s0:#5ab4f0;--s1:#f59b56;--s2:#4fcfa4;--s3:#e290be;--s4:#d9c04a;--s5:#b6bfca}}
*{box-sizing:border-box}
body{margin:0 auto;max-width:76rem;padding:2rem 1.25rem 4rem;background:var(--ground);color:var(--text);font:1rem/1.55 system-ui,sans-serif}
h1{font-size:1.9rem;line-height:1.2;margin:0 0 .25rem}
h2{font-size:1.35rem;margin:2.5rem 0 .75rem;padding-top:1rem;border-top:1px solid var(--rule)}
h3{font-size:1.05rem;margin:1.5rem 0 .5rem}
.subtitle,.soft,small{color:var(--soft)}
main p{max-width:48rem}
nav ul,.legend{list-style:none;padding:0;display:flex;flex-wrap:wrap;gap:.25rem 1.25rem;margin:.75rem 0}
a{color:var(--s0)}
figure{margin:1.5rem 0;max-width:60rem}
figcaption{font-size:1.05rem;font-weight:600;margin-bottom:.35rem}figcaption small{font-weight:400;font-size:.85rem;margin-left:.4rem}
.pairs{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,26rem),1fr));gap:0 1.5rem;max-width:62rem}.pairs figure{margin:.75rem 0}
svg{width:100%;height:auto;display:block;font-family:inherit}
.grid{stroke:var(--rule);stroke-width:1}
.tick,.value{font-size:11px;fill:var(--soft)}
.value{font-size:9px}
.axis{font-size:12px;fill:var(--text)}
.line{fill:none;stroke-width:1.6;stroke-linejoin:round}
.s0{stroke:var(--s0);--c:var(--s0)}.s1{stroke:var(--s1);--c:var(--s1)}.s2{stroke:var(--s2);--c:var(--s2)}
.s3{stroke:var(--s3);--c:var(--s3)}.s4{stroke:var(--s4);--c:var(--s4)}.s5{stroke:var(--s5);--c:var(--s5)}
.s1.line{stroke-dasharray:7 3}.s2.line{stroke-dasharray:2 3}.s3.line{stroke-dasharray:9 3 2 3}.s4.line{stroke-dasharray:4 2}.s5.line{stroke-dasharray:1 2}
.bar{stroke:none;fill:var(--c)}
.swatch{display:inline-block;width:.85rem;height:.85rem;border-radius:2px;background:var(--c);margin-right:.4rem;vertical-align:-.08rem}
/* A shadow at each side where there is more to scroll to: it moves with the view, and what hides it with the content. */
.scroll{overflow:auto;background:linear-gradient(90deg,var(--ground) 40%,transparent) 0 0/2.5rem 100% no-repeat local,
linear-gradient(-90deg,var(--ground) 40%,transparent) 100% 0/2.5rem 100% no-repeat local,
linear-gradient(90deg,var(--edge),transparent) 0 0/.7rem 100% no-repeat scroll,
linear-gradient(-90deg,var(--edge),transparent) 100% 0/.7rem 100% no-repeat scroll}
.tall{max-height:34rem;border:1px solid var(--rule);border-radius:.35rem}
.wide{overflow-x:scroll;padding-bottom:.25rem}.wide table{font-size:.82rem}.wide th,.wide td{padding:.3rem .45rem}
.wide td:first-child{white-space:nowrap}
table{border-collapse:collapse;width:100%;font-size:.92rem}
th,td{text-align:left;padding:.35rem .6rem;border-bottom:1px solid var(--rule);vertical-align:top;overflow-wrap:break-word}
th{background:var(--card);position:sticky;top:0}
.number{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
.gallery{display:grid;grid-template-columns:repeat(auto-fill,minmax(15rem,1fr));gap:1rem;padding:0;list-style:none}
.gallery>li{background:var(--card);border:1px solid var(--rule);border-radius:.5rem;padding:.75rem;overflow-wrap:anywhere}
.gallery img{max-width:100%;max-height:14rem;border-radius:.25rem;display:block;margin:0 auto .5rem;image-rendering:auto}
.gallery dl{margin:.5rem 0 0;font-size:.92rem}.gallery dt{color:var(--soft)}.gallery dd{margin:0 0 .4rem;max-height:6.2em;overflow:auto}
.transcript{overflow-wrap:anywhere;background:var(--card);border:1px solid var(--rule);border-radius:.5rem;padding:.1rem .75rem .75rem;margin:1rem 0}
.pictures{display:flex;flex-wrap:wrap;gap:.4rem;margin:.5rem 0}.pictures img{width:min(9rem,30%);height:auto;border-radius:.25rem}
.tokens{white-space:pre-wrap;font:.85rem/1.7 ui-monospace,monospace}
.tokens span{box-shadow:inset 1px 0 var(--rule)}.tokens mark{color:inherit;background:var(--learned)}.tokens del{color:var(--soft)}
.stale,.stale .right,.stale .wrong,.stale a{color:var(--soft)}.stale figure,.stale img{opacity:.5;filter:grayscale(1)}
.right{color:var(--good)}.wrong{color:var(--bad)}
:focus-visible{outline:2px solid var(--s0);outline-offset:2px}
@media print{body{max-width:none}.tall{max-height:none}.scroll{overflow:visible}.gallery dd{max-height:none}}
`
