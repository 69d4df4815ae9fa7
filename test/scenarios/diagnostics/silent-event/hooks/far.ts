import { observe } from "../src/observatory.js";

export const farHooks = { onStarSeen: observe };
