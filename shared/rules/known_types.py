"""The event types that Azure's services emit, to warn of misspelt types and to complete types in editors.

Source: `SystemEventNames` of azure-eventgrid 4.22.1, and the type that this app gives to Kudu's webhook. A
service may emit a newer type, so an unknown type is only a warning.
"""

from difflib import get_close_matches
from typing import Final

from shared.values.wording import did_you_mean

_ENDINGS: Final = {
    "Microsoft.AVS": (
        "ClusterCreated ClusterDeleted ClusterFailed ClusterUpdated ClusterUpdating "
        "PrivateCloudFailed PrivateCloudUpdated PrivateCloudUpdating ScriptExecutionCancelled "
        "ScriptExecutionFailed ScriptExecutionFinished ScriptExecutionStarted"
    ),
    "Microsoft.ApiCenter": "ApiDefinitionAdded ApiDefinitionUpdated",
    "Microsoft.ApiManagement": (
        "APICreated APIDeleted APIReleaseCreated APIReleaseDeleted APIReleaseUpdated APIUpdated "
        "CircuitBreaker.Closed CircuitBreaker.Opened GatewayAPIAdded GatewayAPIRemoved "
        "GatewayCertificateAuthorityCreated GatewayCertificateAuthorityDeleted "
        "GatewayCertificateAuthorityUpdated GatewayCreated GatewayDeleted "
        "GatewayHostnameConfigurationCreated GatewayHostnameConfigurationDeleted "
        "GatewayHostnameConfigurationUpdated GatewayTokenExpired GatewayTokenNearExpiry "
        "GatewayUpdated ProductCreated ProductDeleted ProductUpdated SubscriptionCreated "
        "SubscriptionDeleted SubscriptionUpdated UserCreated UserDeleted UserUpdated"
    ),
    "Microsoft.AppConfiguration": "KeyValueDeleted KeyValueModified SnapshotCreated SnapshotModified",
    "Microsoft.Cache": "ExportRDBCompleted ImportRDBCompleted PatchingCompleted ScalingCompleted",
    "Microsoft.Communication": (
        "AdvancedMessageDeliveryStatusUpdated AdvancedMessageReceived CallEnded CallParticipantAdded "
        "CallParticipantRemoved CallStarted ChatAzureBotCommandReceivedInThread "
        "ChatMemberAddedToThreadWithUser ChatMemberRemovedFromThreadWithUser ChatMessageDeleted "
        "ChatMessageDeletedInThread ChatMessageEdited ChatMessageEditedInThread ChatMessageReceived "
        "ChatMessageReceivedInThread ChatParticipantAddedToThreadWithUser "
        "ChatParticipantRemovedFromThreadWithUser ChatThreadCreated ChatThreadCreatedWithUser "
        "ChatThreadDeleted ChatThreadParticipantAdded ChatThreadParticipantRemoved "
        "ChatThreadPropertiesUpdated ChatThreadPropertiesUpdatedPerUser ChatThreadWithUserDeleted "
        "ChatTypingIndicatorReceivedInThread EmailDeliveryReportReceived "
        "EmailEngagementTrackingReportReceived IncomingCall RecordingFileStatusUpdated "
        "RouterJobCancelled RouterJobClassificationFailed RouterJobClassified RouterJobClosed "
        "RouterJobCompleted RouterJobDeleted RouterJobExceptionTriggered RouterJobQueued "
        "RouterJobReceived RouterJobSchedulingFailed RouterJobUnassigned "
        "RouterJobWaitingForActivation RouterJobWorkerSelectorsExpired RouterWorkerDeleted "
        "RouterWorkerDeregistered RouterWorkerOfferAccepted RouterWorkerOfferDeclined "
        "RouterWorkerOfferExpired RouterWorkerOfferIssued RouterWorkerOfferRevoked "
        "RouterWorkerRegistered RouterWorkerUpdated SMSDeliveryReportReceived SMSReceived "
        "UserDisconnected"
    ),
    "Microsoft.ContainerRegistry": "ChartDeleted ChartPushed ImageDeleted ImagePushed",
    "Microsoft.ContainerService": (
        "ClusterSupportEnded ClusterSupportEnding NewKubernetesVersionAvailable NodePoolRollingFailed "
        "NodePoolRollingStarted NodePoolRollingSucceeded"
    ),
    "Microsoft.DataBox": "CopyCompleted CopyStarted OrderCompleted",
    "Microsoft.Devices": "DeviceConnected DeviceCreated DeviceDeleted DeviceDisconnected DeviceTelemetry",
    "Microsoft.Edge": "SolutionVersionPublished",
    "Microsoft.EventGrid": (
        "MQTTClientCreatedOrUpdated MQTTClientDeleted MQTTClientSessionConnected "
        "MQTTClientSessionDisconnected SubscriptionDeletedEvent SubscriptionValidationEvent"
    ),
    "Microsoft.EventHub": "CaptureFileCreated",
    "Microsoft.HealthcareApis": (
        "DicomImageCreated DicomImageDeleted DicomImageUpdated FhirResourceCreated "
        "FhirResourceDeleted FhirResourceUpdated"
    ),
    "Microsoft.KeyVault": (
        "CertificateExpired CertificateNearExpiry CertificateNewVersionCreated KeyExpired "
        "KeyNearExpiry KeyNewVersionCreated SecretExpired SecretNearExpiry SecretNewVersionCreated "
        "VaultAccessPolicyChanged"
    ),
    "Microsoft.MachineLearningServices": (
        "DatasetDriftDetected ModelDeployed ModelRegistered RunCompleted RunStatusChanged"
    ),
    "Microsoft.Maps": "GeofenceEntered GeofenceExited GeofenceResult",
    "Microsoft.Media": (
        "JobCanceled JobCanceling JobErrored JobFinished JobOutputCanceled JobOutputCanceling "
        "JobOutputErrored JobOutputFinished JobOutputProcessing JobOutputProgress JobOutputScheduled "
        "JobOutputStateChange JobProcessing JobScheduled JobStateChange "
        "LiveEventChannelArchiveHeartbeat LiveEventConnectionRejected LiveEventEncoderConnected "
        "LiveEventEncoderDisconnected LiveEventIncomingDataChunkDropped "
        "LiveEventIncomingStreamReceived LiveEventIncomingStreamsOutOfSync "
        "LiveEventIncomingVideoStreamsOutOfSync LiveEventIngestHeartbeat "
        "LiveEventTrackDiscontinuityDetected"
    ),
    "Microsoft.PolicyInsights": "PolicyStateChanged PolicyStateCreated PolicyStateDeleted",
    "Microsoft.ResourceNotifications.ContainerServiceEventResources": "ScheduledEventEmitted",
    "Microsoft.ResourceNotifications.HealthResources": "AvailabilityStatusChanged ResourceAnnotated",
    "Microsoft.ResourceNotifications.Resources": "CreatedOrUpdated Deleted",
    "Microsoft.Resources": (
        "ResourceActionCancel ResourceActionFailure ResourceActionSuccess ResourceDeleteCancel "
        "ResourceDeleteFailure ResourceDeleteSuccess ResourceWriteCancel ResourceWriteFailure "
        "ResourceWriteSuccess"
    ),
    "Microsoft.ServiceBus": (
        "ActiveMessagesAvailablePeriodicNotifications ActiveMessagesAvailableWithNoListeners "
        "DeadletterMessagesAvailablePeriodicNotifications DeadletterMessagesAvailableWithNoListeners"
    ),
    "Microsoft.SignalRService": "ClientConnectionConnected ClientConnectionDisconnected",
    "Microsoft.Storage": (
        "AsyncOperationInitiated BlobCreated BlobDeleted BlobInventoryPolicyCompleted BlobRenamed "
        "BlobTierChanged DirectoryCreated DirectoryDeleted DirectoryRenamed LifecyclePolicyCompleted "
        "StorageTaskAssignmentCompleted StorageTaskAssignmentQueued StorageTaskCompleted "
        "StorageTaskQueued"
    ),
    "Microsoft.Web": (
        "AppServicePlanUpdated AppUpdated BackupOperationCompleted BackupOperationFailed "
        "BackupOperationStarted RestoreOperationCompleted RestoreOperationFailed "
        "RestoreOperationStarted SlotSwapCompleted SlotSwapFailed SlotSwapStarted "
        "SlotSwapWithPreviewCancelled SlotSwapWithPreviewStarted Kudu.PostDeployment"
    ),
}
"""The ends of the types, after the service's name, by service."""

_OPEN: Final = ("microsoft.graph.", "microsoft.fabric.", "microsoft.agfoodplatform.", "microsoft.web/")
"""The beginnings of documented types that the list does not have."""

_ABOUT_SITES: Final = (
    *("Microsoft.Web", "Microsoft.Resources", "Microsoft.ContainerRegistry", "Microsoft.EventGrid"),
    *("Microsoft.PolicyInsights", "Microsoft.ResourceNotifications.HealthResources"),
    *(
        "Microsoft.ResourceNotifications.Resources",
        "Microsoft.ResourceNotifications.ContainerServiceEventResources",
    ),
)
"""The services whose events may be about a web app and have `app.…` (docs/events.md)."""

KNOWN_TYPES: Final = tuple(
    f"{service}.{ending}" for service, endings in _ENDINGS.items() for ending in endings.split()
)
"""Every known type, by service."""

_LOWER: Final = frozenset(name.lower() for name in KNOWN_TYPES)
_AFTER_MICROSOFT: Final = frozenset(name.partition(".")[2] for name in _LOWER)
_OTHER_SERVICES: Final = tuple(f"{name}.".lower() for name in _ENDINGS if name not in _ABOUT_SITES)
_PLAN: Final = "microsoft.web.appserviceplanupdated"


def doubt(name: str) -> str | None:
    """Return why a type in a rule may be misspelt, with the nearest known type, or None.

    Args:
        name: A type, or a family with `*` at its end.
    """
    lower = name.lower()
    if lower.startswith(_OPEN):
        return None
    if lower.endswith("*"):
        return _doubt_of_family(name[:-1])
    if lower in _LOWER or not (lower.startswith("microsoft.") or lower.partition(".")[2] in _AFTER_MICROSOFT):
        return None
    return f"no Azure service is known to emit the event type `{name}`{_nearest(name)}"


def never_about_a_site(name: str) -> bool:
    """Return whether events of a type, or of a family with `*` at its end, never have app facts."""
    lower = name.lower()
    if lower.endswith("*"):
        return lower.startswith(_OTHER_SERVICES)
    return lower == _PLAN or (lower in _LOWER and lower.startswith(_OTHER_SERVICES))


def _doubt_of_family(beginning: str) -> str | None:
    lower = beginning.lower()
    if not lower.startswith("microsoft.") or any(name.startswith(lower) for name in (*_LOWER, *_OPEN)):
        return None
    near = _near_service(beginning.partition(".")[2].rstrip("."))
    meant = f" (did you mean `{near}.*`?)" if near else "; keep it if a service emits such types"
    return f"no Azure service is known to emit event types that begin with `{beginning}`{meant}"


def _nearest(name: str) -> str:
    """Return ` (did you mean `x`?)`: a type of the nearest service, else one with the same ending."""
    after = name.partition(".")[2]
    exact = [known for known in KNOWN_TYPES if known.lower().partition(".")[2] == after.lower()]
    service, _, ending = after.rpartition(".")
    near = _near_service(service) or _near_service(after.partition(".")[0])
    candidates = exact or [known for known in KNOWN_TYPES if near and known.startswith(f"{near}.")]
    same = [known for known in KNOWN_TYPES if known.lower().endswith(f".{ending.lower()}")]
    found = did_you_mean(name, candidates) or did_you_mean(name, same)
    return found or _alike(name) or "; keep it if a service emits it: this app's list may be older"


def _alike(name: str) -> str:
    """Return ` (did you mean `x`?)` for the known type that is nearly the same text."""
    lower = {known.lower(): known for known in KNOWN_TYPES}
    near = get_close_matches(name.lower(), lower, n=1, cutoff=0.9)
    return f" (did you mean `{lower[near[0]]}`?)" if near else ""


def _near_service(name: str) -> str | None:
    """Return the service whose name, without `Microsoft.`, is nearest."""
    by_name = {service.partition(".")[2].lower(): service for service in _ENDINGS}
    near = get_close_matches(name.lower(), by_name, n=1, cutoff=0.7)
    return by_name[near[0]] if near else None
