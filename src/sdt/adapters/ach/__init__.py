"""The three ways of delivering ACH files, each behind `ports.ach_files.AchFiles`."""

from sdt.adapters.ach.api import ApiAchFiles
from sdt.adapters.ach.folder import FolderAchFiles
from sdt.adapters.ach.sftp import SftpAchFiles, sftp_command

__all__ = ["ApiAchFiles", "FolderAchFiles", "SftpAchFiles", "sftp_command"]
