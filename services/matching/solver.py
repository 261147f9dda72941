"""The solver as a process: a problem on standard input, its solution on standard output.

A process of its own: the search takes whole cores, and none of it from those who wait for answers.
"""

import sys

from services.matching.domain.problem import Problem
from services.matching.domain.timetable import solve

if __name__ == "__main__":
    problem = Problem.model_validate_json(sys.stdin.buffer.read())
    sys.stdout.buffer.write(solve(problem).model_dump_json().encode())
