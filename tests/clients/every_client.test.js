import { Cluster } from "./cluster.js";
import { testEveryClient } from "./every_client.js";

testEveryClient(Cluster.ofTests({ tokens: true }));
