import { buildModule } from "@nomicfoundation/hardhat-ignition/modules";

export default buildModule("SafeModule", (module) => {
  const safe = module.contract("Safe", [5n]);
  const set = module.call(safe, "set", [6n]);
  const number = module.staticCall(safe, "number", [], 0, { after: [set] });
  module.call(safe, "set", [number], { id: "again" });
  const event = module.readEventArgument(set, "Changed", "number");
  module.contract("Safe", [event], { id: "Second" });
  return { safe };
});
