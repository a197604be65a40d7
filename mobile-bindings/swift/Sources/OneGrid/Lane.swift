import Foundation

/// Threads for calls that block, so that neither the main thread nor Swift's own pool ever waits
/// for a disk or a server. Each lane has a fixed width: calls beyond it wait in line without a
/// thread.
final class Lane: Sendable {
    private let queue: OperationQueue

    init(_ name: String, width: Int) {
        queue = OperationQueue()
        queue.name = "onegrid.\(name)"
        queue.maxConcurrentOperationCount = width
        queue.qualityOfService = .userInitiated
    }

    /// Runs `work` on this lane and suspends the caller meanwhile. A task that is cancelled already
    /// does not begin.
    func run<Answer: Sendable>(
        _ work: @escaping @Sendable () throws -> Answer
    ) async throws -> Answer {
        if Task.isCancelled { throw OneGridError.cancelled }
        return try await finish(work)
    }

    /// Runs `work` on this lane, even in a task that is cancelled: for calls that put something in
    /// order.
    func finish<Answer: Sendable>(
        _ work: @escaping @Sendable () throws -> Answer
    ) async throws -> Answer {
        let result: Result<Answer, OneGridError> = await withCheckedContinuation { waiting in
            queue.addOperation { waiting.resume(returning: Result(catchingOneGrid: work)) }
        }
        return try result.get()
    }

    /// Runs `work` on this lane without anybody waiting for it.
    func start(_ work: @escaping @Sendable () -> Void) {
        queue.addOperation(work)
    }
}

extension Result where Failure == OneGridError {
    init(catchingOneGrid work: () throws -> Success) {
        do { self = .success(try work()) } catch { self = .failure(OneGridError(error)) }
    }
}

/// The lanes of one phone or device. A long sync delays no list, and nothing delays a cancel or
/// suspend.
struct Lanes: Sendable {
    /// Reads and writes of the replica.
    let local = Lane("local", width: 6)
    /// Calls that wait for the network.
    let network = Lane("network", width: 2)
    /// Cancel, suspend, resume, status.
    let control = Lane("control", width: 3)
}
