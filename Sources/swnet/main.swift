import ArgumentSupport
import CommandSupport

Swnet.main(as: Swnet.program)
