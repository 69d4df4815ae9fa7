import type { Weather } from "../../support/tcp-proxy.js";
import type { Link } from "../mesh.js";
import type { FaultKind, FaultPlan } from "./fault.js";

function weather(link: Link, sky: Weather): void {
  for (const proxy of link.proxies) proxy.setWeather(sky);
}

function cut(link: Link): void {
  for (const proxy of link.proxies) proxy.cut();
}

function spell(link: Link, what: string, sky: Weather): FaultPlan {
  return {
    what: `${link.name}: ${what}`,
    holds: [link.name],
    async begin() {
      weather(link, sky);
      return async () => weather(link, {});
    },
  };
}

export const linkFaults: readonly FaultKind[] = [
  {
    kind: "cut link",
    weight: 8,
    plan(random, mesh) {
      const link = random.pick(mesh.links);
      return {
        what: `${link.name}: cut, again and again`,
        holds: [link.name],
        async begin({ wait }) {
          for (let times = 0; times < 6; times += 1) {
            cut(link);
            await wait(random.between(50, 300));
          }
          return async () => undefined;
        },
      };
    },
  },
  {
    kind: "refuse link",
    weight: 6,
    plan(random, mesh) {
      const link = random.pick(mesh.links);
      const plan = spell(link, "refused", { refuse: true });
      return {
        ...plan,
        async begin(context) {
          const end = await plan.begin(context);
          cut(link);
          return end;
        },
      };
    },
  },
  {
    kind: "delay link",
    weight: 6,
    plan(random, mesh) {
      const delayMs = random.pick([20, 60, 150, 400]);
      return spell(random.pick(mesh.links), `${delayMs} ms late`, { delayMs });
    },
  },
  {
    kind: "throttle link",
    weight: 5,
    plan(random, mesh) {
      const bytesPerSecond = random.pick([2_000, 10_000, 50_000]);
      return spell(random.pick(mesh.links), `${bytesPerSecond} bytes/s`, { bytesPerSecond });
    },
  },
  {
    kind: "halve link",
    weight: 8,
    plan(random, mesh) {
      const link = random.pick(mesh.links);
      const silent = random.pick(["up", "down"] as const);
      const resumes = random.chance(0.5);
      return {
        what: `${link.name}: silent ${silent}, then ${resumes ? "all of it arrives" : "reset"}`,
        holds: [link.name],
        leastMs: 1_000,
        async begin() {
          weather(link, { silent });
          return async () => {
            if (!resumes) cut(link);
            weather(link, {});
          };
        },
      };
    },
  },
];
