import Foundation
import OneGrid

/// A field client for the terminal: the shortest way through each part of the SDK.
@main
struct Sample {
    static func main() async {
        do {
            try await run(Arguments(Array(CommandLine.arguments.dropFirst())))
        } catch let error as OneGridError {
            fail("\(error.code): \(error.localized)", code: 1)
        } catch let error as Usage {
            fail("\(error.text)\n\n\(usage)", code: 2)
        } catch {
            fail("\(error)", code: 1)
        }
    }

    private static func run(_ arguments: Arguments) async throws {
        switch arguments.command {
        case "quickstart": try await runQuickStart(arguments)
        case "meeting": try await runMeeting(arguments)
        case "play": try await play(arguments)
        default: try await runOnPhone(arguments)
        }
    }

    private static func fail(_ text: String, code: Int32) {
        FileHandle.standardError.write(Data("\(text)\n".utf8))
        exit(code)
    }
}

let usage = """
    onegrid-sample [--folder FOLDER] COMMAND

      enrol INVITATION [--server ADDRESS]   make this phone the member's; once
      sync                                  exchange with the server
      status                                the connection, in one line
      live                                  sync by itself and print what changes, until Ctrl-C
      report TITLE --at LAT,LON[,METRES] [--category CODE]
      list [--mine] [--open]                records, newest change first
      search WORDS                          records that hold the words
      show RECORD                           a record with its story
      moves RECORD                          what can be done with it now, and why not the rest
      move RECORD MOVE [--text WORDS] [--unit ID]
      comment RECORD WORDS
      visit LAT,LON[,METRES]                a visit to an e-bike shed, with a finding
      tally                                 how much of the own work counts
      notices                               news about the own words

      quickstart --testbed PROGRAM          the quick start, beside a second phone that sees the report
      meeting --testbed PROGRAM             two phones without a network, by a code and by a file
      play --testbed PROGRAM FILE...        the scenarios that all bindings share
    """
