// Who is told that a transaction of a tenant begins here: a simulation, which checks that this node owns the tenant. No
// file and no message shows that moment. Null in a program, which costs it a branch.
#pragma once

#include "base/ids.h"

namespace tradewind::tenant {

class AdmissionObserver {
 public:
  // A statement that will take a snapshot has been let in, on the core that runs. Must not suspend.
  virtual void OnAdmitted(const TenantName& tenant) = 0;

 protected:
  ~AdmissionObserver() = default;
};

// Set before any core runs.
inline AdmissionObserver* admission_observer = nullptr;

}  // namespace tradewind::tenant
