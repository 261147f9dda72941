"""The contracts between the services: one file for each publisher, every event listed here."""

from shared.events import matching, registration
from shared.events.base import Event

TOPICS = ("registration", "matching")

EVENTS: tuple[type[Event], ...] = (
    registration.MissionAnnounced,
    registration.StopPlanned,
    registration.ProgrammeItemPlanned,
    registration.ParticipantConfirmed,
    registration.ParticipantPending,
    registration.ParticipantWaitlisted,
    registration.ParticipantOffered,
    registration.ParticipantLapsed,
    registration.ParticipantRejected,
    registration.ParticipantCancelled,
    registration.ParticipantCheckedIn,
    registration.StaffEngaged,
    registration.SignInRequested,
    registration.SessionEnded,
    registration.ConsentGranted,
    registration.ConsentRevoked,
    registration.PersonErased,
    registration.ApplicationDrafted,
    registration.ApplicationSubmitted,
    registration.ApplicationDecided,
    matching.SchedulePublished,
    matching.MeetingScheduled,
    matching.MeetingMoved,
    matching.MeetingDelayed,
    matching.MeetingCalled,
    matching.MeetingStarted,
    matching.MeetingFinished,
    matching.MeetingMissed,
    matching.MeetingCancelled,
    matching.RequestSubmitted,
    matching.RequestAccepted,
    matching.RequestDeclined,
    matching.RequestCancelled,
    matching.RequestExpired,
    matching.RequestSuperseded,
    matching.MeetingReported,
    matching.OutcomeReported,
    matching.OutcomeVerified,
    matching.OutcomeDisputed,
    matching.OutcomeRetracted,
)
