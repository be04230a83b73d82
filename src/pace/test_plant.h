// A simulated plant for tests of what paces moves: requests that arrive at random and take longer the faster the
// moves send.
#pragma once

#include <algorithm>

namespace tradewind::pace {

// Latency is exponential; its mean is that of a queue whose server is shared by the requests and the moves:
// idle_ms / (1 - busy - rate / capacity).
struct Plant {
  double idle_ms = 1;
  double requests_per_s = 1000;
  double busy = 0.2;
  double capacity_bytes_per_s = 200e6;
  double disk_bytes_per_s = 1e12;  // No more than this can be sent, whatever the rate.
  double link_bytes_per_s = 1e12;  // Here latency rises fivefold within five percent of the rate.
  double disturbance = 1;          // Latency by what it would be.

  double P95(double rate) const {
    const double room = 1 - busy - std::min(rate, disk_bytes_per_s) / capacity_bytes_per_s;
    const double queue = 1 + 80 * std::max(rate / link_bytes_per_s - 0.95, 0.0);
    return disturbance * queue * 3 * idle_ms / std::max(room, 0.02);
  }
  // The rate that holds the setpoint.
  double RateFor(double setpoint_ms) const {
    double low = 0, high = capacity_bytes_per_s;
    while (high - low > 1e3) (P95((low + high) / 2) < setpoint_ms ? low : high) = (low + high) / 2;
    return low;
  }
};

}  // namespace tradewind::pace
