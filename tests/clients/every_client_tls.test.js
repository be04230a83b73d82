import { Cluster } from "./cluster.js";
import { testEveryClient } from "./every_client.js";
import { withCa } from "./with_ca.js";

withCa(
  import.meta.url,
  "every client speaks TLS",
  (authority) => testEveryClient(Cluster.ofTests({ tokens: true, authority })),
  { natively: true },
);
