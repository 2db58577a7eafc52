/** The page's style: follows the reader's light or dark setting, colours that differ for colour-blind readers too. */

export const style = `
:root{color-scheme:light dark;--ground:#fff;--text:#1b1f24;--soft:#57606a;--rule:#d8dee4;--card:#f6f8fa;--edge:#0003;--good:#0a6b3d;--bad:#b02a1a;--learned:#c9efd9;--tint:#eaf3fa;
--s0:#0067a8;--s1:#c24e00;--s2:#00805c;--s3:#a63d7c;--s4:#7a6500;--s5:#4b5563;
--g1:#e3f1ea;--g2:#bfe2d0;--g3:#93cfb2;--g4:#62b78f;--b1:#fbeae3;--b2:#f7cdba;--b3:#f0a98b;--b4:#e5835e;--a1:#e8f1f8;--a2:#c5dff0;--a3:#98c6e4;--a4:#67a9d4}
@media screen and (prefers-color-scheme:dark){:root{--ground:#14181d;--text:#e6e9ed;--soft:#a0a9b4;--rule:#333b45;--card:#1c2229;--edge:#fff3;--good:#5fce97;--bad:#ff8f7d;--learned:#1d4d36;--tint:#1b2a38;
--s0:#5ab4f0;--s1:#f59b56;--s2:#4fcfa4;--s3:#e290be;--s4:#d9c04a;--s5:#b6bfca;
--g1:#18291f;--g2:#1b3b2b;--g3:#1e5039;--g4:#22684a;--b1:#331f18;--b2:#4d291b;--b3:#6b341f;--b4:#8a4024;--a1:#182633;--a2:#1b3850;--a3:#1e4c70;--a4:#216292}}
*{box-sizing:border-box}
[hidden]{display:none!important}
body{margin:0 auto;max-width:72rem;padding:2.25rem 1.5rem 4rem;background:var(--ground);color:var(--text);font:1rem/1.55 system-ui,sans-serif;-webkit-text-size-adjust:100%}
h1{font-size:1.15rem;font-weight:650;line-height:1.3;margin:0}
h2{font-size:1.35rem;line-height:1.3;margin:3rem 0 .9rem;padding-top:1.1rem;border-top:1px solid var(--rule);overflow-wrap:anywhere}
h3,caption,figcaption{font-size:1rem;font-weight:650;line-height:1.4}
h3{margin:1.75rem 0 .5rem}
p{margin:.6rem 0}
a{color:var(--s0)}
.subtitle,.soft,small,.note,footer{color:var(--soft)}
small{font-size:.88em;font-weight:400}
.subtitle{margin:.1rem 0 0;overflow-wrap:anywhere}
.note{font-size:.88rem;max-width:46rem;margin:.5rem 0 0}
main p,main li{max-width:46rem}
footer{margin-top:3rem;font-size:.88rem}
.hidden{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%);white-space:nowrap}
.live{display:flex;flex-wrap:wrap;gap:.2rem 1rem;align-items:center;margin:1rem 0 0;padding:.45rem .8rem;background:var(--tint);border-radius:.4rem;font-size:.92rem}
.live label{display:inline-flex;align-items:center;gap:.4rem}.live .now{font-weight:650}
.short{white-space:nowrap}
.half td small{display:block}
.leader{fill:none;stroke:var(--rule);stroke-width:1.5}
.headline{font-size:clamp(1.35rem,1rem + 2vw,2.05rem);line-height:1.25;font-weight:650;letter-spacing:-.012em;max-width:52rem;margin:1.1rem 0 1.4rem;text-wrap:balance}
.figures{display:flex;flex-wrap:wrap;gap:.9rem 3rem;margin:0 0 1.75rem}
.figures div{display:flex;flex-direction:column-reverse}.figures dt{color:var(--soft);font-size:.88rem}
.figures dd{margin:0;font-variant-numeric:tabular-nums}.figures strong{font-size:1.7rem;line-height:1.25;font-weight:650;margin-right:.45rem}
@media(min-width:62rem){.front{display:grid;grid-template-columns:minmax(0,1.05fr) minmax(0,1fr);gap:0 3rem;align-items:start}.front>*{grid-column:1/-1}
.front>.half{grid-column:auto}.front>.half+.half{grid-column:2}.half>:first-child{margin-top:0}}
nav ul,.legend{list-style:none;padding:0;display:flex;flex-wrap:wrap;gap:.3rem 1.25rem;margin:0}
nav{margin:2.25rem 0 0;font-size:.92rem}
.legend{font-weight:400;font-size:.88rem;margin:.3rem 0}
figure{margin:1.5rem 0;max-width:56rem;min-width:0}
.pairs{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,22rem),1fr));gap:0 2.5rem}.pairs figure{margin:.9rem 0}
.chart{display:grid;grid-template-columns:auto minmax(0,1fr);margin:.35rem 0 0}
.y-label{grid-column:1/-1;font-size:.8rem;color:var(--soft);margin-bottom:.55rem}
.y-ticks{position:relative;width:3.6rem}.y-ticks span{position:absolute;right:.5rem;transform:translateY(-50%)}
.x-ticks{grid-column:2;position:relative;height:1.5rem}.x-ticks span{position:absolute;top:.3rem;transform:translateX(-50%)}
.y-ticks,.x-ticks{font-size:.78rem;line-height:1;color:var(--soft);font-variant-numeric:tabular-nums}
.x-label{grid-column:2;text-align:right;font-size:.8rem;color:var(--soft)}
.plot{position:relative;height:19rem;border-bottom:1px solid var(--soft)}.compact .plot{height:11rem}
.plot svg{position:absolute;inset:0;width:100%;height:100%;overflow:visible}
.plot svg *{vector-effect:non-scaling-stroke}
.grid{stroke:var(--rule);stroke-width:1}
.line,.raw{fill:none;stroke:var(--c);stroke-width:2;stroke-linejoin:round}
.raw{stroke-width:1;opacity:.35}
.s0{--c:var(--s0)}.s1{--c:var(--s1)}.s2{--c:var(--s2)}.s3{--c:var(--s3)}.s4{--c:var(--s4)}.s5{--c:var(--s5)}
.s1.line{stroke-dasharray:8 3}.s2.line{stroke-dasharray:2 3}.s3.line{stroke-dasharray:9 3 2 3}.s4.line{stroke-dasharray:4 2}.s5.line{stroke-dasharray:1 2}
.swatch{display:inline-block;width:.8rem;height:.8rem;border-radius:2px;background:var(--c);margin-right:.4rem;vertical-align:-.06rem}
.cursor{display:none;position:absolute;top:0;bottom:0;width:1px;background:var(--soft);pointer-events:none}
.tip{display:none;position:absolute;top:.25rem;margin:0 .5rem;padding:.3rem .55rem;background:var(--ground);border:1px solid var(--soft);border-radius:.3rem;font-size:.82rem;line-height:1.45;white-space:pre-line;font-variant-numeric:tabular-nums;pointer-events:none;z-index:2;max-width:48%}
.whisker{stroke:var(--soft);stroke-width:2}
.dot{position:absolute;width:.7rem;height:.7rem;margin:-.35rem;border-radius:50%;background:var(--ground);border:2px solid var(--s5)}
.dot.result{background:var(--s0);border-color:var(--s0);width:1rem;height:1rem;margin:-.5rem}.dot.baseline{background:var(--s1);border-color:var(--s1);border-radius:0}
.dot.reference{border-color:var(--text);border-width:3px}
.name{position:absolute;padding:0 .9rem;transform:translateY(-50%);font-size:.87rem;line-height:1.2;white-space:nowrap;color:var(--soft);font-variant-numeric:tabular-nums}
.name.result{color:var(--s0);font-weight:650}.name.baseline{color:var(--s1)}.name.reference{color:var(--text)}
/* A shadow at each side where there is more to scroll to: it moves with the view, and what hides it with the content. */
.scroll{overflow:auto;margin:1.25rem 0 0;background:linear-gradient(90deg,var(--ground) 40%,transparent) 0 0/2.5rem 100% no-repeat local,
linear-gradient(-90deg,var(--ground) 40%,transparent) 100% 0/2.5rem 100% no-repeat local,
linear-gradient(90deg,var(--edge),transparent) 0 0/.6rem 100% no-repeat scroll,
linear-gradient(-90deg,var(--edge),transparent) 100% 0/.6rem 100% no-repeat scroll}
.tall{max-height:34rem;border:1px solid var(--rule);border-radius:.35rem}
table{border-collapse:collapse;width:100%;font-size:.9rem}
caption{text-align:left;padding:0 0 .4rem}
th,td{text-align:left;padding:.4rem .7rem;border-bottom:1px solid var(--rule);vertical-align:top;overflow-wrap:break-word}
th:first-child,td:first-child{padding-left:.2rem}
thead th{color:var(--soft);font-weight:500;font-size:.85rem;vertical-align:bottom;border-bottom-color:var(--soft)}
.tall thead th{position:sticky;top:0;background:var(--ground)}.tall th:first-child{padding-left:.7rem}
tbody th{font-weight:400}
.number{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
.emphasis{background:var(--tint)}.emphasis th,.emphasis td{font-weight:650}.emphasis th:first-child{padding-left:.7rem}
.wide td,.wide tbody th{white-space:nowrap}
.wide tbody th:first-child{position:sticky;left:0;background:var(--ground)}
details{margin:1.25rem 0;border-top:1px solid var(--rule);border-bottom:1px solid var(--rule)}
details+details{margin-top:calc(-1.25rem - 1px)}
summary{cursor:pointer;padding:.55rem .2rem;font-weight:650}
details>.scroll:not(.tall){margin-bottom:.75rem;margin-top:0}
pre{background:var(--card);padding:.75rem .9rem;border-radius:.4rem;font:.84rem/1.5 ui-monospace,monospace;max-height:34rem;margin:.5rem 0 .75rem}
.map{width:auto;border-collapse:separate;border-spacing:2px;font-variant-numeric:tabular-nums}
.map th,.map td{border:0;padding:.28rem .5rem;font-size:.84rem}.map td{text-align:right;min-width:3.2rem;border-radius:2px;background:var(--card)}
.map th{white-space:nowrap}.map thead th{text-align:right}.map thead th:first-child{text-align:left}
.map tbody th{position:sticky;left:0;background:var(--ground);padding-right:.8rem}
.map .good1{background:var(--g1)}.map .good2{background:var(--g2)}.map .good3{background:var(--g3)}.map .good4{background:var(--g4)}
.map .bad1{background:var(--b1)}.map .bad2{background:var(--b2)}.map .bad3{background:var(--b3)}.map .bad4{background:var(--b4)}
.map .amount1{background:var(--a1)}.map .amount2{background:var(--a2)}.map .amount3{background:var(--a3)}.map .amount4{background:var(--a4)}
.chart-table{margin:1.5rem 0;max-width:56rem}.chart-table tbody th{width:1%;white-space:nowrap;padding-right:1rem;font-size:.84rem}
.bars{list-style:none;margin:0;padding:0;max-width:none}.bars li{display:flex;align-items:center;gap:.5rem;max-width:none;line-height:1.2;padding-right:4.5rem}
.bar{display:block;height:.55rem;flex:none;border-radius:0 2px 2px 0;background:var(--c)}.value{margin-right:-4.5rem;font-size:.78rem;color:var(--soft);font-variant-numeric:tabular-nums;white-space:nowrap}
.filter{border:0;padding:0;margin:.5rem 0 1rem;display:flex;flex-wrap:wrap;gap:.4rem}
.filter label{display:inline-flex;align-items:center;gap:.4rem;padding:.2rem .7rem;border:1px solid var(--rule);border-radius:1rem;font-size:.88rem;cursor:pointer}
.filter label:has(:checked){border-color:var(--s0);background:var(--tint)}.filter input{accent-color:var(--s0);margin:0}
.gallery{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,14.5rem),1fr));gap:1rem;padding:0;margin:0;list-style:none}
.gallery>li{border:1px solid var(--rule);border-radius:.5rem;padding:.8rem;overflow-wrap:anywhere;display:flex;flex-direction:column;font-size:.92rem}
.gallery img{max-width:100%;max-height:14rem;min-height:5rem;border-radius:.25rem;display:block;margin:0 0 .6rem;object-fit:contain;object-position:left}
.question{font-weight:650;margin:0 0 .35rem;max-height:9em;overflow:auto}
.options{margin:0 0 .4rem;padding-left:0;list-style:none}
.gallery dl{margin:0 0 .5rem}.gallery dt{color:var(--soft);font-size:.82rem;line-height:1.35}.gallery dd{margin:0 0 .45rem;max-height:12em;overflow:auto}
.tags{margin:auto 0 0;display:flex;flex-wrap:wrap;gap:.3rem;font-size:.78rem;color:var(--soft)}.tags span{background:var(--card);padding:.05rem .5rem;border-radius:1rem}
.right .mark{color:var(--good)}.wrong .mark{color:var(--bad)}.mark{font-size:.85em;margin-right:.25rem}
.transcript{overflow-wrap:anywhere;background:var(--card);border:1px solid var(--rule);border-radius:.5rem;padding:.1rem .75rem .75rem;margin:1rem 0}
.pictures{display:flex;flex-wrap:wrap;gap:.4rem;margin:.5rem 0}.pictures img{width:min(9rem,30%);height:auto;border-radius:.25rem}
.tokens{white-space:pre-wrap;font:.85rem/1.7 ui-monospace,monospace}
.tokens span{box-shadow:inset 1px 0 var(--rule)}.tokens mark{color:inherit;background:var(--learned)}.tokens del{color:var(--soft)}
.stale,.stale .mark,.stale a,.stale .name,.stale strong{color:var(--soft)}.stale .plot svg,.stale .bar,.stale img,.stale .swatch{opacity:.55;filter:grayscale(1)}.stale .tokens mark{background:var(--card)}.stale .map td,.stale .emphasis,.stale.emphasis{background:var(--card)}
:focus-visible{outline:2px solid var(--s0);outline-offset:2px}
@media(max-width:40rem){tbody th:not(.short){overflow-wrap:anywhere;min-width:7rem}td small{display:block}.half table{font-size:.86rem}.half .short{white-space:normal}body{padding:1.25rem 1rem 3rem}th,td{padding:.35rem .45rem}.half th,.half td{padding:.35rem .25rem}.figures{gap:.8rem 2rem}.figures strong{font-size:1.45rem}.plot{height:17rem}.y-ticks{width:3rem}
.chart-table tbody tr{display:block;padding:.3rem 0;border-bottom:1px solid var(--rule)}.chart-table tbody th,.chart-table tbody td{display:block;width:auto;border:0;padding:0}}
@media print{:root{color-scheme:light}body{max-width:none;padding:0;font-size:10pt}.tall,pre{max-height:none}.scroll{overflow:visible;background:none}.gallery dd,.question{max-height:none;overflow:visible}
nav,.filter,.live label{display:none}.gallery>li,figure,tr{break-inside:avoid}h2,h3,caption,figcaption{break-after:avoid}*{print-color-adjust:exact}}
`
