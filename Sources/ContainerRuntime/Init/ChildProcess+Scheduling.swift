import CLinux

/// Who runs when, and where. Done while the process still has its launcher's rights, which these calls need.
extension ChildProcess {
    /// In the launcher's cgroup still, whose processors may be others.
    func takeInitialProcessors() throws(InitFailure) { try take(plan.scheduling.initialProcessors, 0) }

    /// In the container's cgroup.
    func setScheduling() throws(InitFailure) {
        let step = plan.scheduling
        try take(step.finalProcessors, 1)
        // The kernel keeps all of them in mind, and lets those be used that the cgroup has at the time
        // (sched_setaffinity(2), cpuset(7)). A container can do without where that may not be.
        if step.usesEveryProcessor { _ = swn_use_every_processor() }
        if let scheduler = step.scheduler {
            let answer = swn_sched_setattr(
                scheduler.policy, scheduler.flags, scheduler.nice, scheduler.priority, scheduler.runtime,
                scheduler.deadline, scheduler.period)
            guard answer == 0 else { throw InitFailure(.scheduler) }
        }
        if let priority = step.ioPriority, swn_ioprio_set(priority) != 0 { throw InitFailure(.ioPriority) }
        if let policy = step.memoryPolicy {
            guard unsafe swn_set_mempolicy(policy.mode, policy.nodes.words, policy.nodes.words.count) == 0 else {
                throw InitFailure(.memoryPolicy)
            }
        }
    }

    private func take(_ processors: NumberSet, _ index: Int32) throws(InitFailure) {
        guard !processors.isEmpty else { return }
        guard unsafe swn_sched_setaffinity(processors.words, processors.words.count) == 0 else {
            throw InitFailure(.processors, index)
        }
    }
}
